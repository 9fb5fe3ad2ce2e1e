import CPostgreSQL

/// Takes the data of one COPY. It gathers them into messages a little under 64 KiB.
public final class CopyWriter {
  private static let messageBytesMax = 65_531

  private let link: Link
  private var buffer: [UInt8] = []
  private var isBinary = false

  init(_ link: Link) { self.link = link }

  /// Returns when there is room for more: waits while the server does not keep up.
  public func write(_ bytes: some Collection<UInt8>) async throws(DatabaseError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = rest.prefix(Self.messageBytesMax - buffer.count)
      buffer.append(contentsOf: piece)
      rest = rest.dropFirst(piece.count)
      if buffer.count == Self.messageBytesMax { try await send() }
    }
  }

  /// One row of a `COPY ... (FORMAT binary)`. Every value must be of exactly its column's type: `int4` for `integer`.
  /// `json` and `numeric` text have no binary form here; use `hundredths`, or COPY in text form.
  public func row(_ values: [Value]) async throws(DatabaseError) {
    var row: [UInt8] = []
    if !isBinary {
      // "PGCOPY", a signature that text transfers destroy, no flags, no extension (COPY, "Binary Format").
      row += [0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00, 0, 0, 0, 0, 0, 0, 0, 0]
      isBinary = true
    }
    BinaryForm.append(Int16(truncatingIfNeeded: values.count), to: &row)
    for value in values {
      switch value {
      case .json, .numeric: throw DatabaseError(.usage, "json and numeric text cannot go into a binary COPY")
      case .null: BinaryForm.append(Int32(-1), to: &row)
      default:
        let start = row.count
        BinaryForm.append(Int32(0), to: &row)
        value.write(to: &row)
        let length = UInt32(row.count - start - 4)
        for place in 0..<4 { row[start + place] = UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32(place))) }
      }
    }
    try await write(row)
  }

  fileprivate func finish() async throws(DatabaseError) {
    if isBinary { try await write([0xFF, 0xFF]) }
    if !buffer.isEmpty { try await send() }
  }

  private func send() async throws(DatabaseError) {
    while true {
      if let failure = link.failure { throw failure }
      if let reason = link.cancelReason { throw Link.cancelled(reason) }
      guard let pg = link.pg else { throw DatabaseError(.connectionLost, "the connection is closed") }
      let outcome = buffer.withUnsafeBytes {
        PQputCopyData(pg, $0.baseAddress?.assumingMemoryBound(to: CChar.self), CInt($0.count))
      }
      guard outcome >= 0 else { throw DatabaseError(.server, "the server has ended the COPY") }
      link.flush()
      await link.wait(for: .flushed)
      if outcome == 1 { break }
    }
    // A server that always keeps up must not keep the loop from its other work.
    await Task.yield()
    buffer.removeAll(keepingCapacity: true)
  }
}

extension Connection {
  /// `COPY ... FROM STDIN`. Returns the number of rows. When `body` throws, nothing is copied.
  @discardableResult
  public func copyIn(
    _ sql: SQL, timeout: Duration? = nil, _ body: (CopyWriter) async throws -> Void
  ) async throws -> Int {
    try await sendDueBegin()
    var rows = 0
    var thrown: (any Error)?
    let writer = CopyWriter(link)
    do {
      try await simpleQuery(sql, timeout: timeout) { result throws(DatabaseError) in
        guard PQresultStatus(result) == PGRES_COPY_IN else {
          rows = ResultHandle.affected(result)
          return
        }
        do {
          try await body(writer)
          try await writer.finish()
        } catch {
          thrown = error
        }
        endCopy(thrown == nil ? nil : "the writer gave up")
      }
    } catch {
      // The server's reason tells more than that it no longer listened; the writer's own error tells more than its
      // echo.
      if error.sqlState == .queryCanceled || error.kind == .cancelled || error.kind == .timeout {
        throw thrown ?? error
      }
      if let own = thrown as? DatabaseError, own.message == "the server has ended the COPY" { throw error }
      throw thrown ?? error
    }
    return rows
  }

  private func endCopy(_ reason: String?) {
    guard let pg = link.pg, link.failure == nil else { return }
    // Fails when the server has ended the COPY itself; its error is the next result.
    _ = reason.map { PQputCopyEnd(pg, $0) } ?? PQputCopyEnd(pg, nil)
    link.flush()
  }
}
