/// The Castagnoli checksum (RFC 3720 appendix B.4): finds torn and flipped bytes on disk. No protection against people.
public struct CRC32C: Sendable {
  private var state: UInt32 = 0xFFFF_FFFF

  public init() {}

  public var value: UInt32 { ~state }

  public static func checksum(_ bytes: some Collection<UInt8>) -> UInt32 {
    var checksum = CRC32C()
    checksum.update(bytes)
    return checksum.value
  }

  public mutating func update(_ bytes: some Collection<UInt8>) {
    let done: Void? = bytes.withContiguousStorageIfAvailable { update($0.span) }
    if done == nil { update(Array(bytes).span) }
  }

  /// Eight bytes a step: one table for each place in the step ("slicing-by-8", Kounavis and Berry, 2005).
  private mutating func update(_ bytes: Span<UInt8>) {
    let tables = CRC32C.tables.span
    let raw = bytes.bytes
    var crc = state
    var at = 0
    while at + 8 <= bytes.count {
      let word = UInt64(littleEndian: raw.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)) ^ UInt64(crc)
      crc = 0
      for place in 0..<8 {
        crc ^= tables[(7 - place) * 256 + Int(truncatingIfNeeded: word >> UInt64(place * 8) & 0xFF)]
      }
      at += 8
    }
    while at < bytes.count {
      crc = crc >> 8 ^ tables[Int(UInt8(truncatingIfNeeded: crc) ^ bytes[at])]
      at += 1
    }
    state = crc
  }

  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var crc = UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
      tables[byte] = crc
    }
    for place in 256..<8 * 256 {
      let before = tables[place - 256]
      tables[place] = before >> 8 ^ tables[Int(before & 0xFF)]
    }
    return tables
  }()
}
