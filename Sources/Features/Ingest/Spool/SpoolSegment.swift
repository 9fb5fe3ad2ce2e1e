import Basics
import Glibc
import Runtime

/// What the spool knows of one of its files.
struct SpoolSegment {
  let number: UInt64
  let file: SpoolFile
  /// Up to here it is on disk, and may be read.
  var end: Int
  var records: Int
  /// Receipt of the first record.
  var first: Instant?
  /// What it takes on disk.
  var size: Int
  /// Nothing more is added.
  var isWhole: Bool
}

/// Where in the spool: all before it has been dealt with.
struct SpoolPlace: Sendable, Equatable, Comparable {
  var segment: UInt64
  var offset: Int

  static func < (a: SpoolPlace, b: SpoolPlace) -> Bool { (a.segment, a.offset) < (b.segment, b.offset) }
}

/// Goes through a segment from one place on, a few megabytes at a time.
struct SegmentScan {
  enum Item: Equatable {
    case record(SpoolRecord)
    /// Bytes that are no record; neighbours may follow.
    case bad(Range<Int>)
  }

  private static let chunkCount = 4 << 20

  let file: SpoolFile
  let end: Int
  private(set) var offset: Int
  private var chunk: [UInt8] = []
  private var chunkStart = 0

  init(_ file: SpoolFile, from offset: Int, to end: Int) {
    self.file = file
    self.offset = offset
    self.end = end
    chunkStart = offset
  }

  /// Nil at the end.
  mutating func next() throws(SystemError) -> Item? {
    while offset < end {
      let isWhole = chunkStart + chunk.count >= end
      if offset - chunkStart < chunk.count || isWhole {
        guard offset - chunkStart < chunk.count else { return nil }
        switch SpoolFormat.step(chunk, at: offset - chunkStart, isWhole: isWhole) {
        case .record(let record, let next):
          offset = chunkStart + next
          return .record(record)
        case .bad(let next):
          let start = offset
          offset = chunkStart + next
          return .bad(start..<offset)
        case .more: break
        }
      }
      chunk = try file.read(min(Self.chunkCount, end - offset), at: offset)
      chunkStart = offset
      // Shorter than it was: the rest is gone.
      if chunk.isEmpty { return nil }
      if chunk.count < SpoolFormat.frameCount, chunkStart + chunk.count < end { return nil }
    }
    return nil
  }
}

/// What was found when a file that an earlier process left was opened.
enum FoundSegment {
  case segment(SpoolSegment, torn: Range<Int>?)
  /// Nothing was ever written to it.
  case blank
  /// Not one of ours.
  case broken
}

extension SpoolSegment {
  /// A file whose process ended in the middle gets its footer here. What stands behind its last record is cut off, and
  /// given as `torn` unless it was only reserved space.
  static func found(_ number: UInt64, in folder: SpoolFolder) throws -> FoundSegment {
    let file = try SpoolFile.open(folder.segment(number), O_RDWR)
    let size = try file.size()
    switch SpoolFormat.readHeader(try file.read(SpoolFormat.headerCount, at: 0)) {
    case .blank: return .blank
    case .broken: return .broken
    case .version(let version): throw SpoolFailure.newer(file.path, version: version)
    case .segment(let stated): guard stated == number else { return .broken }
    }
    let footerStart = size - SpoolFormat.footerCount
    if footerStart >= SpoolFormat.headerCount,
      let footer = SpoolFormat.Footer(try file.read(SpoolFormat.footerCount, at: footerStart)),
      footer.end == UInt64(footerStart)
    {
      return .segment(
        SpoolSegment(
          number: number, file: file, end: footerStart, records: Int(clamping: footer.records),
          first: footer.records == 0 ? nil : Instant(microseconds: footer.first), size: size, isWhole: true), torn: nil)
    }
    return try recover(number, file, size)
  }

  private static func recover(_ number: UInt64, _ file: SpoolFile, _ size: Int) throws(SystemError) -> FoundSegment {
    var scan = SegmentScan(file, from: SpoolFormat.headerCount, to: size)
    var segment = SpoolSegment(
      number: number, file: file, end: SpoolFormat.headerCount, records: 0, first: nil, size: size, isWhole: true)
    while let item = try scan.next() {
      guard case .record(let record) = item else { continue }
      segment.records += 1
      segment.first = segment.first ?? record.receivedAt
      segment.end = scan.offset
    }
    let torn = try lastWritten(file, segment.end..<size)
    if segment.records == 0, torn == nil { return .blank }
    return .segment(segment, torn: torn)
  }

  /// What is left when the zeros at the end are taken away.
  private static func lastWritten(_ file: SpoolFile, _ range: Range<Int>) throws(SystemError) -> Range<Int>? {
    var end = range.upperBound
    while end > range.lowerBound {
      let start = max(range.lowerBound, end - 1 << 20)
      let bytes = try file.read(end - start, at: start)
      if let last = bytes.lastIndex(where: { $0 != 0 }) { return range.lowerBound..<start + last + 1 }
      end = start
    }
    return nil
  }

  /// Cuts off what was reserved and never used, and says what it holds.
  mutating func seal() throws(SystemError) {
    let footer = SpoolFormat.Footer(records: UInt64(records), first: first?.microseconds ?? 0, end: UInt64(end))
    try file.cut(to: end)
    try file.write(footer.bytes, at: end)
    try file.sync()
    size = end + SpoolFormat.footerCount
    isWhole = true
  }
}

/// Why the spool cannot be used.
public enum SpoolFailure: Error, CustomStringConvertible {
  case inUse(String)
  case newer(String, version: UInt32)
  case system(SystemError)

  public var description: String {
    switch self {
    case .inUse(let path): "another process uses \(path): each needs a folder of its own"
    case .newer(let path, let version): "\(path) was written by a newer release (format \(version)): start that one"
    case .system(let error): "\(error)"
    }
  }
}
