/// The short name of an organization in addresses: lower-case letters and digits with inner hyphens, at most 64.
struct Slug: Equatable {
  let text: String

  init?(_ text: String) {
    let bytes = text.utf8
    guard (1...64).contains(bytes.count), bytes.first != UInt8(ascii: "-"), bytes.last != UInt8(ascii: "-"),
      bytes.allSatisfy({ Self.isAlphanumeric($0) || $0 == UInt8(ascii: "-") })
    else { return nil }
    self.text = text
  }

  /// `Joe's Diner` becomes `joe-s-diner`. A name without any letter of ASCII becomes `organization`.
  init(from name: String) {
    var bytes: [UInt8] = []
    for byte in name.lowercased().utf8 {
      if Self.isAlphanumeric(byte) {
        bytes.append(byte)
      } else if let last = bytes.last, last != UInt8(ascii: "-") {
        bytes.append(UInt8(ascii: "-"))
      }
      if bytes.count == 56 { break }
    }
    if bytes.last == UInt8(ascii: "-") { bytes.removeLast() }
    text = bytes.isEmpty ? "organization" : String(decoding: bytes, as: UTF8.self)
  }

  /// What to try when it is taken.
  var suggestions: [String] { (2...9).map { "\(text.prefix(60))-\($0)" } }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
  }
}
