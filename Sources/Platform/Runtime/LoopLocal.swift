/// A value of which every loop has its own, made when the loop first asks for it.
public final class LoopLocal<Value: AnyObject>: Sendable {
  private let make: @Sendable (Reactor) -> Value

  public init(_ make: @escaping @Sendable (Reactor) -> Value) { self.make = make }

  /// The value of the calling thread's loop. It stays on that loop.
  public var value: Value {
    let reactor = Reactor.current
    if let value = reactor.locals[ObjectIdentifier(self)] as? Value { return value }
    let value = make(reactor)
    reactor.locals[ObjectIdentifier(self)] = value
    return value
  }

  /// Forgets the value of the calling thread's loop.
  public func remove() { Reactor.current.locals[ObjectIdentifier(self)] = nil }
}
