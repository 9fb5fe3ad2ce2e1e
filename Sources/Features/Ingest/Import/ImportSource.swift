import Synchronization

/// The file as pieces of whole lines, each read into rows. Called by one thread at a time.
final class ImportSource: Sendable {
  /// Bytes that are read into rows at once.
  private static let pieceMin = 4 << 20

  private struct State {
    var parser: ImportParser
    var rest: [UInt8] = []
    var lines = 0
    var isAtEnd = false
    var hasHeader: Bool
    var ignored: [String] = []
  }

  private let state: Mutex<State>
  private let read: @Sendable () throws -> [UInt8]?

  init(parser: ImportParser, next: @escaping @Sendable () throws -> [UInt8]?) {
    state = Mutex(State(parser: parser, hasHeader: parser.format == .ndjson))
    read = next
  }

  var ignoredColumns: [String] { state.withLock { $0.ignored } }

  /// Nil at the end.
  func next() throws -> ImportChunk? {
    try state.withLock { state in
      while !state.isAtEnd, state.rest.count < Self.pieceMin {
        guard let bytes = try read() else {
          state.isAtEnd = true
          break
        }
        if state.rest.isEmpty { state.rest = bytes } else { state.rest += bytes }
      }
      var header = 0
      if !state.hasHeader {
        guard let end = state.rest.firstIndex(of: 0x0A) else { throw ImportRefusal("the file has no header line") }
        state.ignored = try state.parser.readHeader(state.rest[..<end])
        state.hasHeader = true
        state.rest.removeFirst(end + 1)
        header = 1
        state.lines = 1
      }
      if state.rest.isEmpty {
        guard header > 0 else { return nil }
        var chunk = ImportChunk()
        chunk.lines = header
        return chunk
      }
      let end: Int
      if state.isAtEnd {
        end = state.rest.count
      } else if let last = state.rest.lastIndex(of: 0x0A) {
        end = last + 1
      } else {
        throw ImportRefusal("line \(state.lines + 1) is longer than \(Self.pieceMin) bytes")
      }
      let piece = Array(state.rest[..<end])
      state.rest.removeFirst(end)
      var chunk = state.parser.read(piece, firstLine: state.lines + 1)
      state.lines += chunk.lines
      chunk.lines += header
      return chunk
    }
  }
}
