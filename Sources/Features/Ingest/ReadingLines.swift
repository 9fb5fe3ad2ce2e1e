import Basics
import HTTP
import Identity
import JSON

/// Takes readings that come one on each line, and answers each by a line: `{"line":1,"status":"stored","readingId":"..."}`.
///
/// What was answered as stored or spooled is durable, so a sender that is cut off goes on after the last answer; what it sends again
/// is a duplicate. While the database is away the lines go into the spool, piece by piece like those before. No more is read than is
/// durable, and no more is made durable than the client takes answers of: who does not read the answers while sending comes to a stop.
struct ReadingLines {
  /// Bytes of a line.
  static let lineMax = 16 * 1024
  /// Readings in one flush, and after how many bytes of them there is one: with another line they fit into the spool together.
  private static let flushMax = 1000
  private static let flushBytesMax = SpoolRecord.bodyMax / 2

  let reception: Reception
  let request: Request
  private var sender: KeyHolder
  private var items: [(line: Int, item: Item)] = []
  private var bytes = 0
  /// When the last piece came. A stream may last for hours: "now" is not when it began.
  private var now: Instant

  private enum Item {
    /// With its line as it came.
    case sample(Sample, ArraySlice<UInt8>)
    case wrong(message: String, details: [(path: String, message: String)])
  }

  /// - Parameter sender: whom the key of `request` speaks for.
  init(_ reception: Reception, _ request: Request, from sender: KeyHolder) {
    self.reception = reception
    self.request = request
    self.sender = sender
    now = request.received
  }

  mutating func run(from body: BodyReader, to answers: BodyWriter) async throws {
    let started = MonotonicClock.nanoseconds()
    var split = LineSplitter(lineMax: Self.lineMax)
    var isOpen = true
    while isOpen {
      if let piece = try await body.next() {
        split.append(piece)
      } else {
        split.finish()
        isOpen = false
      }
      now = request.received + .microseconds(Int64((MonotonicClock.nanoseconds() &- started) / 1000))
      while let line = split.next() {
        if let item = read(line) { items.append((line.number, item)) }
        bytes += line.bytes?.count ?? 0
        if items.count == Self.flushMax || bytes >= Self.flushBytesMax, try await !flush(to: answers) { return }
      }
      if try await !flush(to: answers) { return }
    }
  }

  /// Nil for an empty line.
  private func read(_ line: LineSplitter.Line) -> Item? {
    guard let bytes = line.bytes else {
      return .wrong(message: "the line is longer than \(Self.lineMax) bytes", details: [])
    }
    if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { return nil }
    do {
      return .sample(try SampleReader.read(line: bytes, arrivedAt: now), bytes)
    } catch let error as InvalidFields {
      return .wrong(message: "the reading is not valid", details: error.details.map { ($0.path, $0.message) })
    } catch {
      return .wrong(message: (error as? InvalidBody)?.message ?? "the line cannot be read", details: [])
    }
  }

  /// Makes durable and answers what has gathered. False: nothing takes it now, and the answer has ended with that.
  private mutating func flush(to answers: BodyWriter) async throws -> Bool {
    guard !items.isEmpty else { return true }
    let lines = items.compactMap { entry in
      if case .sample(let sample, let line) = entry.item { (sample, line) } else { nil }
    }
    var outcome = Reception.Outcome.settled([])
    if !lines.isEmpty {
      do {
        sender = try await reception.identified(sender, of: request)
        outcome = try await reception.take(lines, at: now, from: sender)
      } catch let error as HTTPError {
        try await answers.write(Self.last(error))
        return false
      }
    }
    var settled = if case .settled(let all) = outcome { all[...] } else { ArraySlice<Settled>?.none }
    var written: [UInt8] = []
    for (line, item) in items {
      var json = JSONWriter(capacity: 96)
      json.object { json in
        json.field("line", line)
        switch item {
        case .sample:
          if let one = settled?.popFirst() { one.write(to: &json) } else { json.field("status", "spooled") }
        case .wrong(let message, let details): Self.write(message, details, &json)
        }
      }
      written += json.bytes
      written.append(0x0A)
    }
    items.removeAll(keepingCapacity: true)
    bytes = 0
    try await answers.write(written)
    return true
  }

  private static func write(
    _ message: String, _ details: [(path: String, message: String)], _ json: inout JSONWriter
  ) {
    json.field("status", "refused")
    json.field("reason", message)
    guard !details.isEmpty else { return }
    json.array("details") { json in
      for detail in details {
        json.object { json in
          json.field("path", detail.path)
          json.field("message", detail.message)
        }
      }
    }
  }

  /// The last line of an answer that ends before its time.
  private static func last(_ error: HTTPError) -> [UInt8] {
    let isUnavailable = error.code == "UNAVAILABLE"
    return JSONWriter.bytes { json in
      json.object { json in
        json.object("error") { json in
          json.field("code", error.code)
          json.field(
            "message", isUnavailable ? "Lines without an answer are not stored; send them again" : error.message)
        }
      }
    } + [0x0A]
  }
}

/// Cuts bytes that come in pieces into lines, and holds no more of a line than it may have.
struct LineSplitter {
  struct Line {
    /// From 1.
    let number: Int
    /// Without its end. Nil: it is too long.
    let bytes: ArraySlice<UInt8>?
  }

  private let lineMax: Int
  private var bytes: [UInt8] = []
  /// Where the next line begins, and up to where no end was found yet.
  private var start = 0
  private var searched = 0
  private var number = 0
  private var isSkipping = false
  private var isFinished = false

  init(lineMax: Int) { self.lineMax = lineMax }

  mutating func append(_ piece: [UInt8]) {
    if start > 0 {
      bytes.removeFirst(start)
      searched -= start
      start = 0
    }
    bytes += piece
  }

  /// No more bytes come: what is left is a line.
  mutating func finish() { isFinished = true }

  mutating func next() -> Line? {
    while true {
      let end = bytes[searched...].firstIndex(of: 0x0A)
      let limit = end ?? bytes.count
      if limit - start > lineMax || isSkipping {
        let wasSkipping = isSkipping
        isSkipping = end == nil
        start = end.map { $0 + 1 } ?? bytes.count
        searched = start
        if !wasSkipping { number += 1 }
        if wasSkipping || isSkipping {
          // Told once, when it was found to be too long.
          if !wasSkipping { return Line(number: number, bytes: nil) }
          if end == nil { return nil }
          continue
        }
        return Line(number: number, bytes: nil)
      }
      searched = limit
      if let end { return take(end, next: end + 1) }
      return isFinished && start < bytes.count ? take(bytes.count, next: bytes.count) : nil
    }
  }

  private mutating func take(_ end: Int, next: Int) -> Line {
    var line = bytes[start..<end]
    if line.last == 0x0D { line.removeLast() }
    start = next
    searched = next
    number += 1
    return Line(number: number, bytes: line)
  }
}
