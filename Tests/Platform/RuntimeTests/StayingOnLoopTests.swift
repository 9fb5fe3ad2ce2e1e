import Basics
import Glibc
import Runtime
import Testing

/// What resumes elsewhere costs a hop for each await, and stalls when the cooperative pool is busy.
@Suite struct StayingOnLoopTests {
  /// True when `body`, a closure as handlers are, comes back to the thread on which it was suspended.
  private func stays(_ body: @escaping @Sendable () async throws -> Void) throws -> Bool {
    try EventLoop.run {
      let before = pthread_self()
      try await body()
      return pthread_equal(before, pthread_self()) != 0
    }
  }

  @Test func `a continuation resumes on its loop`() throws {
    let stays = try stays {
      let before = pthread_self()
      await withUnsafeContinuation { continuation in
        Reactor.current.schedule(after: .milliseconds(1)) { continuation.resume() }
      }
      #expect(pthread_equal(before, pthread_self()) != 0)
    }
    #expect(stays)
  }

  @Test func `a sleep ends on its loop`() throws {
    let stays = try stays {
      let before = pthread_self()
      try await Reactor.current.sleep(for: .milliseconds(1))
      #expect(pthread_equal(before, pthread_self()) != 0)
    }
    #expect(stays)
  }

  @Test func `the body of a cancellation handler runs on its loop`() throws {
    let stays = try stays {
      let before = pthread_self()
      await withTaskCancellationHandler {
        await Task.yield()
        #expect(pthread_equal(before, pthread_self()) != 0)
      } onCancel: {
      }
    }
    #expect(stays)
  }

  @Test func `a closure with a capture list stays on its loop`() throws {
    let stays = try stays { [word = "captured"] in
      let before = pthread_self()
      await Task.yield()
      #expect(word == "captured" && pthread_equal(before, pthread_self()) != 0)
    }
    #expect(stays)
  }
}
