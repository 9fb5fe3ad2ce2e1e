/// Forgets the older half when full: at most `2 * capacity` entries, constant time, no clock.
public struct TwoGenerationCache<Key: Hashable, Value> {
  @usableFromInline let capacity: Int
  @usableFromInline var young: [Key: Value] = [:]
  @usableFromInline var old: [Key: Value] = [:]

  /// - Parameter capacity: more than 0.
  @inlinable public init(capacity: Int) {
    precondition(capacity > 0)
    self.capacity = capacity
  }

  /// An entry that is asked for stays.
  @inlinable public mutating func value(for key: Key) -> Value? {
    if let value = young[key] { return value }
    guard let value = old.removeValue(forKey: key) else { return nil }
    insert(value, for: key)
    return value
  }

  @inlinable public mutating func insert(_ value: Value, for key: Key) {
    if young.count >= capacity {
      old = young
      young = [:]
    }
    young[key] = value
  }

  @inlinable public mutating func remove(_ key: Key) {
    young[key] = nil
    old[key] = nil
  }

  @inlinable public mutating func removeAll() {
    young = [:]
    old = [:]
  }
}
