import Glibc

/// Bytes that wait to be written, in order. Small ones share a buffer; large ones are kept as they came.
struct Output {
  private static let largeMin = 32 << 10

  /// The buffer that is being filled; it goes behind `segments`.
  var open: [UInt8] = []
  private var segments: [[UInt8]] = []
  /// Bytes of the first segment that are already written.
  private var sent = 0
  private var segmentBytes = 0

  var pending: Int { segmentBytes - sent + open.count }
  var isEmpty: Bool { segments.isEmpty && open.isEmpty }

  mutating func append(_ bytes: [UInt8]) {
    if bytes.count < Self.largeMin { return open.append(contentsOf: bytes) }
    seal()
    segments.append(bytes)
    segmentBytes += bytes.count
  }

  private mutating func seal() {
    if open.isEmpty { return }
    segmentBytes += open.count
    segments.append(open)
    open = []
  }

  enum Outcome { case done, full, failed }

  /// Writes what the socket takes.
  mutating func write(to descriptor: CInt) -> Outcome {
    if segments.isEmpty {
      let length = open.count
      let count = open.withUnsafeBytes { send(descriptor, $0.baseAddress, length, CInt(MSG_NOSIGNAL)) }
      if count == length {
        open.removeAll(keepingCapacity: true)
        return .done
      }
      if count < 0, errno != EAGAIN, errno != EINTR { return .failed }
      seal()
      sent = max(0, count)
      return .full
    }
    seal()
    while let first = segments.first {
      let length = first.count - sent
      let offset = sent
      let more = segments.count > 1 ? CInt(MSG_MORE) : 0
      let count = first.withUnsafeBytes {
        send(descriptor, $0.baseAddress.map { $0 + offset }, length, CInt(MSG_NOSIGNAL) | more)
      }
      if count < 0 {
        if errno == EINTR { continue }
        return errno == EAGAIN ? .full : .failed
      }
      sent += count
      if count < length { return .full }
      segmentBytes -= first.count
      segments.removeFirst()
      sent = 0
    }
    return .done
  }
}
