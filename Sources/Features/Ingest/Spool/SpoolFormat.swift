import Basics
import Crypto

/// How a segment of the spool looks on disk, version 1. All numbers are little-endian.
///
/// A segment is a header of 32 bytes, records, and, once nothing more is added to it, a footer of 40 bytes. Until then the space
/// behind the records is reserved and zero. A record is the mark `FTR1`, the length of its payload (4), the CRC-32C of length and payload (4), and
/// the payload. Marks are what reading goes on from behind a damaged place; a mark inside a body is none, because its CRC-32C is wrong.
public enum SpoolFormat {
  static let version: UInt32 = 1
  static let headerCount = 32
  static let footerCount = 40
  static let frameCount = 12

  private static let segmentMark = Array("FTSPOOL\n".utf8)
  static let recordMark = Array("FTR1".utf8)
  private static let footerMark = Array("FTE1".utf8)

  // MARK: - Header and footer

  /// mark (8), version (4), zero (4), number of the segment (8), CRC-32C of all before (4), zero (4)
  static func header(_ number: UInt64) -> [UInt8] {
    var bytes = segmentMark
    bytes.append(littleEndian: version)
    bytes.append(littleEndian: UInt32(0))
    bytes.append(littleEndian: number)
    bytes.append(littleEndian: CRC32C.checksum(bytes))
    bytes.append(littleEndian: UInt32(0))
    return bytes
  }

  enum Header: Equatable {
    case segment(UInt64)
    /// Written by a newer program.
    case version(UInt32)
    /// Space that was reserved, and nothing else.
    case blank
    case broken
  }

  static func readHeader(_ bytes: some Collection<UInt8>) -> Header {
    let bytes = Array(bytes.prefix(headerCount))
    if bytes.allSatisfy({ $0 == 0 }) { return .blank }
    guard bytes.count == headerCount, bytes.starts(with: segmentMark),
      UInt32(littleEndian: bytes[24...]) == CRC32C.checksum(bytes[..<24])
    else { return .broken }
    let found = UInt32(littleEndian: bytes[8...])
    return found == version ? .segment(UInt64(littleEndian: bytes[16...])) : .version(found)
  }

  /// What a whole segment holds.
  struct Footer: Equatable {
    var records: UInt64
    /// Receipt of its first record, in microseconds.
    var first: Int64
    /// Where the records end, and the footer starts.
    var end: UInt64

    /// mark (4), zero (4), records (8), first (8), end (8), zero (4), CRC-32C of all before (4)
    var bytes: [UInt8] {
      var bytes = SpoolFormat.footerMark
      bytes.append(littleEndian: UInt32(0))
      bytes.append(littleEndian: records)
      bytes.append(littleEndian: UInt64(bitPattern: first))
      bytes.append(littleEndian: end)
      bytes.append(littleEndian: UInt32(0))
      bytes.append(littleEndian: CRC32C.checksum(bytes))
      return bytes
    }

    init(records: UInt64, first: Int64, end: UInt64) {
      self.records = records
      self.first = first
      self.end = end
    }

    init?(_ bytes: [UInt8]) {
      guard bytes.count == SpoolFormat.footerCount, bytes.starts(with: SpoolFormat.footerMark),
        UInt32(littleEndian: bytes[36...]) == CRC32C.checksum(bytes[..<36])
      else { return nil }
      records = UInt64(littleEndian: bytes[8...])
      first = Int64(bitPattern: UInt64(littleEndian: bytes[16...]))
      end = UInt64(littleEndian: bytes[24...])
    }
  }

  // MARK: - Records

  /// Nil when the record is longer than what is read back.
  public static func append(_ record: SpoolRecord, to bytes: inout [UInt8]) -> Int? {
    guard record.isWritable else { return nil }
    let start = bytes.count
    bytes += recordMark
    bytes += [0, 0, 0, 0, 0, 0, 0, 0]
    record.appendPayload(to: &bytes)
    let length = UInt32(bytes.count - start - frameCount)
    bytes.replace(at: start + 4, with: length)
    bytes.replace(at: start + 8, with: checksum(length, bytes[(start + frameCount)...]))
    return bytes.count - start
  }

  private static func checksum(_ length: UInt32, _ payload: ArraySlice<UInt8>) -> UInt32 {
    var checksum = CRC32C()
    checksum.update((0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * UInt32($0))) })
    checksum.update(payload)
    return checksum.value
  }

  /// What stands at one place of a segment.
  public enum Step: Equatable, Sendable {
    /// A record; the next place follows it.
    case record(SpoolRecord, next: Int)
    /// Nothing that can be read up to `next`, where a record may start, or the bytes end.
    case bad(next: Int)
    /// More bytes are needed to tell.
    case more
  }

  /// Reads at `place`. `isWhole`: no bytes follow these.
  public static func step(_ bytes: [UInt8], at place: Int, isWhole: Bool) -> Step {
    switch frame(bytes, at: place, isWhole: isWhole) {
    case .whole(let payload):
      guard let record = SpoolRecord(payload: bytes[payload]) else { return .bad(next: payload.upperBound) }
      return .record(record, next: payload.upperBound)
    case .cut: return .more
    case .none: break
    }
    var next = place + 1
    while next < bytes.count {
      guard let mark = bytes[next...].firstIndex(of: recordMark[0]) else { break }
      switch frame(bytes, at: mark, isWhole: isWhole) {
      case .none: next = mark + 1
      case .whole, .cut: return .bad(next: mark)
      }
    }
    return .bad(next: bytes.count)
  }

  private enum Frame {
    case whole(Range<Int>)
    /// As far as the bytes go it is one.
    case cut
    case none
  }

  private static func frame(_ bytes: [UInt8], at place: Int, isWhole: Bool) -> Frame {
    let known = min(4, bytes.count - place)
    guard bytes[place..<place + known].elementsEqual(recordMark[..<known]) else { return .none }
    guard place + frameCount <= bytes.count else { return isWhole ? .none : .cut }
    let length = UInt32(littleEndian: bytes[(place + 4)...])
    guard length <= payloadMax else { return .none }
    let payload = place + frameCount..<place + frameCount + Int(length)
    guard payload.upperBound <= bytes.count else { return isWhole ? .none : .cut }
    let stated = UInt32(littleEndian: bytes[(place + 8)...])
    return checksum(length, bytes[payload]) == stated ? .whole(payload) : .none
  }

  private static let payloadMax = UInt32(SpoolRecord.payloadMax)
}

extension [UInt8] {
  fileprivate mutating func replace(at place: Int, with word: UInt32) {
    for offset in 0..<4 { self[place + offset] = UInt8(truncatingIfNeeded: word >> (8 * UInt32(offset))) }
  }
}
