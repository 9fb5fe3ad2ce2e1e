import Dispatch
import Glibc
import Synchronization

/// A descriptor that many threads write lines to.
///
/// Lines below `warn` wait up to 20 ms, or until 32 KiB have gathered, so that a busy server makes one `write` for
/// many lines; a warning or an error goes out at once, with everything before it. Call ``flush()`` before `exit`.
public final class LogOutput: Sendable {
  public static let standard = LogOutput(descriptor: STDOUT_FILENO)

  private let descriptor: CInt
  private let buffer: Mutex<Buffer>
  private let patience: DispatchTimeInterval

  private struct Buffer {
    var bytes: [UInt8] = []
    var flushIsDue = false
  }

  private static let full = 32 * 1024

  public init(descriptor: CInt, patience: Duration = .milliseconds(20)) {
    self.descriptor = descriptor
    self.patience = .microseconds(Int(patience.microseconds))
    buffer = Mutex(Buffer())
  }

  public var sink: Log.Sink { { line, level in self.append(line, level) } }

  /// Writes what has gathered. Returns when the kernel has it.
  public func flush() { buffer.withLock { drain(&$0) } }

  private func append(_ line: [UInt8], _ level: Log.Level) {
    let isFirst = buffer.withLock { buffer in
      buffer.bytes.append(contentsOf: line)
      if level >= .warn || buffer.bytes.count >= Self.full {
        drain(&buffer)
        return false
      }
      defer { buffer.flushIsDue = true }
      return !buffer.flushIsDue
    }
    guard isFirst else { return }
    DispatchQueue.global().asyncAfter(deadline: .now() + patience) {
      self.buffer.withLock { buffer in
        buffer.flushIsDue = false
        self.drain(&buffer)
      }
    }
  }

  /// Runs under the lock, so that a line cut by a full pipe is continued before another starts. A log that nobody can
  /// take is dropped: the program goes on.
  private func drain(_ buffer: inout Buffer) {
    var written = 0
    buffer.bytes.withUnsafeBytes { bytes in
      while written < bytes.count {
        let count = write(descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
        if count > 0 {
          written += count
        } else if errno == EAGAIN {
          var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          guard poll(&wait, 1, 1000) > 0 else { return }
        } else if errno != EINTR {
          return
        }
      }
    }
    buffer.bytes.removeAll(keepingCapacity: true)
  }
}
