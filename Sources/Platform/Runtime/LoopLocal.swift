import Synchronization

/// A value of which every loop has its own, made when the loop first asks for it and kept until the loop ends or ``remove()``.
public final class LoopLocal<Value: AnyObject>: Sendable {
  private let make: @Sendable (Reactor) -> Value
  /// Never given twice: the address of an object is, and would find the value of one that is gone.
  private let key = LoopLocalKey.next()

  public init(_ make: @escaping @Sendable (Reactor) -> Value) { self.make = make }

  /// The value of the calling thread's loop. It stays on that loop.
  public var value: Value {
    let reactor = Reactor.current
    if let value = reactor.locals[key] as? Value { return value }
    let value = make(reactor)
    reactor.locals[key] = value
    return value
  }

  /// Forgets the value of the calling thread's loop.
  public func remove() { Reactor.current.locals[key] = nil }
}

private enum LoopLocalKey {
  private static let count = Atomic<UInt64>(0)

  static func next() -> UInt64 { count.add(1, ordering: .relaxed).newValue }
}
