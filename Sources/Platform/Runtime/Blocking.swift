import Dispatch
import Synchronization

/// Work that blocks: name resolution, fsync, subprocesses. Never on a loop's thread.
///
/// Serial Dispatch queues of its own: the global concurrent queue has as many threads as the machine has cores, so that two
/// slow calls would hold up all others.
public enum Blocking {
  private static let queues = (0..<16).map { DispatchQueue(label: "blocking-\($0)") }
  private static let waiting = Mutex([Int](repeating: 0, count: 16))

  /// Runs `body` on a thread where it may block, and returns to the caller's executor.
  public static func run<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    let place = waiting.withLock { waiting in
      let place = waiting.indices.min { waiting[$0] < waiting[$1] } ?? 0
      waiting[place] += 1
      return place
    }
    return try await withUnsafeThrowingContinuation { continuation in
      queues[place].async {
        let result = Result { try body() }
        waiting.withLock { $0[place] -= 1 }
        continuation.resume(with: result)
      }
    }
  }
}
