import Testing

@testable import PostgreSQL

@Suite struct PoolMachineTests {
  var machine = PoolMachine(.init(connectionsMin: 0, connectionsMax: 2, waitersMax: 3))

  @Test mutating func `callers are served in order as connections come`() {
    #expect(machine.acquire(1) == .wait([.connect(1)]))
    #expect(machine.acquire(2) == .wait([.connect(2)]))
    #expect(machine.acquire(3) == .wait([]))
    #expect(machine.connected(2) == [.lend(connection: 2, to: 1)])
    #expect(machine.connected(1) == [.lend(connection: 1, to: 2)])
    #expect(machine.release(2, isReusable: true) == [.lend(connection: 2, to: 3)])
    #expect(machine.release(1, isReusable: true) == [])
    #expect(machine.acquire(4) == .lent(1))
  }

  @Test mutating func `no more may wait than the limit`() {
    for waiter in 1...3 { _ = machine.acquire(waiter) }
    #expect(machine.acquire(4) == .full)
    let answers = [machine.giveUp(2), machine.giveUp(2)]
    #expect(answers == [true, false])
    #expect(machine.acquire(5) == .wait([]))
  }

  @Test mutating func `a broken connection is replaced while somebody waits`() {
    _ = machine.acquire(1)
    _ = machine.connected(1)
    _ = machine.acquire(2)
    _ = machine.connected(2)
    #expect(machine.acquire(3) == .wait([]))
    #expect(machine.release(1, isReusable: false) == [.close(1), .connect(3)])
    #expect(machine.connected(3) == [.lend(connection: 3, to: 3)])
  }

  @Test mutating func `when the server refuses, callers fail at once and one attempt is made at a time`() {
    #expect(machine.acquire(1) == .wait([.connect(1)]))
    #expect(machine.acquire(2) == .wait([.connect(2)]))
    #expect(machine.connectFailed() == [])
    #expect(machine.connectFailed() == [.refuse(waiter: 1), .refuse(waiter: 2), .retryLater(attempt: 0)])
    #expect(machine.acquire(3) == .unavailable)
    #expect(machine.retryIsDue() == [.connect(3)])
    #expect(machine.retryIsDue() == [])
    #expect(machine.connectFailed() == [.retryLater(attempt: 1)])
    #expect(machine.retryIsDue() == [.connect(4)])
    #expect(machine.connected(4) == [])
    #expect(machine.acquire(5) == .lent(4))
  }

  @Test mutating func `while the server refuses more, the connections there are go on`() {
    _ = machine.acquire(1)
    _ = machine.connected(1)
    #expect(machine.acquire(2) == .wait([.connect(2)]))
    #expect(machine.connectFailed() == [.retryLater(attempt: 0)])
    #expect(machine.release(1, isReusable: true) == [.lend(connection: 1, to: 2)])
  }

  @Test mutating func `callers that wait for a connection which breaks are refused when no other can be made`() {
    _ = machine.acquire(1)
    _ = machine.connected(1)
    _ = machine.acquire(2)
    #expect(machine.connectFailed() == [.retryLater(attempt: 0)])
    #expect(machine.release(1, isReusable: false) == [.close(1), .refuse(waiter: 2)])
  }

  @Test mutating func `a closed pool gives nothing out and closes what comes back`() {
    _ = machine.acquire(1)
    _ = machine.connected(1)
    _ = machine.acquire(2)
    #expect(machine.close() == [.refuse(waiter: 2)])
    #expect(machine.acquire(3) == .unavailable)
    #expect(machine.connected(2) == [.close(2)])
    #expect(machine.release(1, isReusable: true) == [.close(1)])
  }

  @Test func `the least number of connections is opened ahead`() {
    var machine = PoolMachine(.init(connectionsMin: 2, connectionsMax: 4, waitersMax: 3))
    #expect(machine.fill() == [.connect(1), .connect(2)])
    #expect(machine.fill() == [])
  }
}
