import Glibc
import Runtime
import Synchronization
import Testing

@Suite("An event loop") struct EventLoopTests {
  /// Not Sendable: the compiler would refuse it if tasks of a loop could leave the loop.
  final class Notes {
    var lines: [String] = []
  }

  @Test("keeps its tasks on its thread across suspension") func staysOnThread() throws {
    let threads = try EventLoop.run {
      let notes = Notes()
      let reactor = Reactor.current
      notes.lines.append("\(pthread_self())")
      try await reactor.sleep(for: .milliseconds(1))
      notes.lines.append("\(pthread_self())")
      _ = try await Blocking.run { 1 }
      notes.lines.append("\(pthread_self())")
      return notes.lines
    }
    #expect(Set(threads).count == 1)
  }

  @Test("runs blocking work elsewhere") func blockingElsewhere() throws {
    let (loop, other) = try EventLoop.run { (pthread_self(), try await Blocking.run { pthread_self() }) }
    #expect(loop != other)
  }

  @Test("fires timers by deadline, and cancelled ones never") func timers() throws {
    let fired = try EventLoop.run {
      let reactor = Reactor.current
      let notes = Notes()
      reactor.schedule(after: .milliseconds(6)) { notes.lines.append("late") }
      reactor.schedule(after: .milliseconds(2)) { notes.lines.append("early") }
      let cancelled = reactor.schedule(after: .milliseconds(3)) { notes.lines.append("cancelled") }
      #expect(reactor.cancel(cancelled))
      #expect(!reactor.cancel(cancelled))
      await withUnsafeContinuation { continuation in
        reactor.schedule(after: .milliseconds(8)) { continuation.resume() }
      }
      return notes.lines
    }
    #expect(fired == ["early", "late"])
  }

  @Test("ends a sleep at once when its task is cancelled") func cancelledSleep() throws {
    let cancelled = try EventLoop.run {
      let reactor = Reactor.current
      let notes = Notes()
      let task = reactor.spawn {
        do { try await reactor.sleep(for: .hours(1)) } catch { notes.lines.append("cancelled") }
      }
      task.cancel()
      await task.finished()
      return notes.lines
    }
    #expect(cancelled == ["cancelled"])
  }

  @Test("does what is asked for at the end of the turn after the jobs of the turn") func endOfTurn() throws {
    let order = try EventLoop.run {
      let reactor = Reactor.current
      let notes = Notes()
      reactor.atEndOfTurn { notes.lines.append("end of turn") }
      reactor.spawn { notes.lines.append("job") }
      try await reactor.sleep(for: .milliseconds(1))
      return notes.lines
    }
    #expect(order == ["job", "end of turn"])
  }

  @Test("gives each loop a value of its own") func loopLocal() throws {
    let local = LoopLocal { _ in Notes() }
    let mine = try EventLoop.run {
      local.value.lines.append("a")
      return local.value.lines.count
    }
    let other = try EventLoop.run { local.value.lines.count }
    #expect(mine == 1)
    #expect(other == 0)
  }

  @Test("does not find the value of a holder that is gone") func loopLocalOfAnother() throws {
    let counts = try EventLoop.run {
      (0..<100).map { _ in
        let local = LoopLocal { _ in Notes() }
        local.value.lines.append("a")
        return local.value.lines.count
      }
    }
    #expect(Set(counts) == [1])
  }

  @Test("carries bytes between a listener and a connection") func sockets() throws {
    final class Echo: ReadinessHandler {
      let descriptor: CInt
      var received: UnsafeContinuation<[UInt8], Never>?
      init(_ descriptor: CInt) { self.descriptor = descriptor }
      func ready(_ events: Readiness) {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = read(descriptor, &bytes, 16)
        if count > 0 { received?.resume(returning: Array(bytes[..<count])) }
        received = nil
      }
    }
    let heard = try EventLoop.run {
      let reactor = Reactor.current
      let listener = try Socket.listen(on: .v4([127, 0, 0, 1], port: 0), sharingPort: false)
      defer { Socket.close(listener) }
      let address = try #require(Socket.localAddress(listener))
      let client = try Socket.connect(to: address)
      defer { Socket.close(client) }
      var accepted = try Socket.accept(listener)
      while accepted == nil {
        try await reactor.sleep(for: .milliseconds(1))
        accepted = try Socket.accept(listener)
      }
      let (server, _) = try #require(accepted)
      defer { Socket.close(server) }
      let echo = Echo(server)
      let watch = try reactor.watch(server, .read, echo)
      defer { reactor.cancel(watch) }
      return await withUnsafeContinuation { continuation in
        echo.received = continuation
        _ = "2.78".withCString { write(client, $0, 4) }
      }
    }
    #expect(heard == Array("2.78".utf8))
  }

  @Test("says which port is taken") func takenPort() throws {
    let listener = try Socket.listen(on: .v4([127, 0, 0, 1], port: 0), sharingPort: false)
    defer { Socket.close(listener) }
    let address = try #require(Socket.localAddress(listener))
    let error = #expect(throws: SystemError.self) { _ = try Socket.listen(on: address, sharingPort: false) }
    #expect(error?.code == EADDRINUSE)
    #expect(error?.description == "cannot listen on \(address): Address already in use")
  }
}
