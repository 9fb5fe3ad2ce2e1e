import Basics

/// Where a cluster of The Things Stack is: `nam1` of The Things Network, or the host of another one.
public struct Cluster: Sendable, Equatable {
  /// As it is stored and shown.
  public let name: String

  private static let network = ["eu1", "nam1", "au1"]

  /// A short name, or a host name of at least two labels, with a port or without. An address is none: certificates are for names.
  public init?(_ text: String) {
    let name = String(decoding: text.utf8.map(ASCII.lowercased), as: UTF8.self)
    guard Self.network.contains(name) || Self.isHost(name) else { return nil }
    self.name = name
  }

  /// As it stands in the database, where an import may have brought anything: what is no cluster is no host that answers.
  init(stored name: String) { self.name = name }

  /// Host and port.
  public var host: String { Self.network.contains(name) ? "\(name).cloud.thethings.network" : name }

  /// How long the Storage Integration of the cluster keeps messages when nobody says otherwise, in hours
  /// (The Things Industries, "Storage Integration": a day on the free network, 30 days on Cloud).
  public var storageHours: Int { host.hasSuffix(".cloud.thethings.industries") ? 720 : 24 }

  private static func isHost(_ text: String) -> Bool {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard text.utf8.count <= 253, parts.count <= 2 else { return false }
    if parts.count == 2 {
      guard let port = ASCII.unsigned(parts[1].utf8), (1...65_535).contains(port) else { return false }
    }
    let labels = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    guard labels.count >= 2, let last = labels.last, !last.utf8.allSatisfy(isDigit) else { return false }
    return labels.allSatisfy { label in
      (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
        && label.utf8.allSatisfy { isDigit($0) || (0x61...0x7A).contains($0) || $0 == 0x2D }
    }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}

/// An id of The Things Stack: 3 to 36 lower-case letters and digits, with single hyphens between them.
public struct StackID: Sendable, Hashable, CustomStringConvertible {
  public let description: String

  public init?(_ text: String) {
    guard (3...36).contains(text.utf8.count) else { return nil }
    var previous: UInt8 = 0x2D
    for byte in text.utf8 {
      let isAlphanumeric = (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte)
      guard isAlphanumeric || byte == 0x2D && previous != 0x2D else { return nil }
      previous = byte
    }
    guard previous != 0x2D else { return nil }
    description = text
  }

  /// Of a name that people gave, made unlike others by `suffix`: `walk-in-cooler-2-9f3ac1`.
  public init(naming name: String, suffix: String) {
    var bytes: [UInt8] = []
    for byte in name.utf8.map(ASCII.lowercased) {
      if (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte) {
        bytes.append(byte)
      } else if let last = bytes.last, last != 0x2D {
        bytes.append(0x2D)
      }
      if bytes.count == 28 { break }
    }
    if bytes.last == 0x2D { bytes.removeLast() }
    description = (bytes.isEmpty ? "sensor" : String(decoding: bytes, as: UTF8.self)) + "-\(suffix)"
  }
}
