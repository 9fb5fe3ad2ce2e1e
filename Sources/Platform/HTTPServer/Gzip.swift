import CZlib

/// One running compression in the gzip format (RFC 1952).
final class GzipEncoder {
  // On the heap: zlib keeps the address.
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

  /// Nil when there is no memory for it. It takes about 256 KiB.
  init?(level: Int32 = 4) {
    stream.initialize(to: z_stream())
    let size = Int32(MemoryLayout<z_stream>.size)
    guard deflateInit2_(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK else {
      stream.deallocate()
      return nil
    }
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  /// The whole of `bytes`, compressed; the encoder is ready for the next.
  func compress(_ bytes: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count / 3 + 64)
    run(bytes, Z_FINISH, &output)
    deflateReset(stream)
    return output
  }

  /// What can be sent of a stream after `bytes`. The encoder keeps up to a window of it, which makes small pieces cheap.
  func write(_ bytes: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    run(bytes, Z_NO_FLUSH, &output)
    return output
  }

  func finish() -> [UInt8] {
    var output: [UInt8] = []
    run([], Z_FINISH, &output)
    return output
  }

  private func run(_ bytes: [UInt8], _ flush: Int32, _ output: inout [UInt8]) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16 << 10) { room in
      bytes.withUnsafeBufferPointer { input in
        // zlib reads through this pointer only, though its type does not say so.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        stream.pointee.avail_in = UInt32(input.count)
        repeat {
          stream.pointee.next_out = room.baseAddress
          stream.pointee.avail_out = UInt32(room.count)
          deflate(stream, flush)
          output.append(contentsOf: room[..<(room.count - Int(stream.pointee.avail_out))])
        } while stream.pointee.avail_out == 0
        stream.pointee.next_in = nil
      }
    }
  }
}

enum Gzip {
  enum Failure: Error {
    case malformed
    case tooLarge
  }

  /// Never makes more than `limit` bytes, whatever the input claims. Exactly one member, nothing behind it.
  static func inflate(_ bytes: ArraySlice<UInt8>, limit: Int) throws(Failure) -> [UInt8] {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    defer { stream.deallocate() }
    guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw .malformed
    }
    defer { inflateEnd(stream) }
    var output: [UInt8] = []
    var failure: Failure?
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16 << 10) { room in
      bytes.withUnsafeBufferPointer { input in
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        stream.pointee.avail_in = UInt32(input.count)
        while failure == nil {
          stream.pointee.next_out = room.baseAddress
          stream.pointee.avail_out = UInt32(room.count)
          let result = CZlib.inflate(stream, Z_NO_FLUSH)
          let made = room.count - Int(stream.pointee.avail_out)
          if output.count + made > limit {
            failure = .tooLarge
          } else {
            output.append(contentsOf: room[..<made])
            if result == Z_STREAM_END {
              if stream.pointee.avail_in > 0 { failure = .malformed }
              break
            }
            if result != Z_OK { failure = .malformed }
          }
        }
      }
    }
    if let failure { throw failure }
    return output
  }
}
