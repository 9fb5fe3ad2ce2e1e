/// First in, first out, never longer than `capacity`: a ring that grows to what it was given.
public struct BoundedQueue<Element> {
  private var ring: [Element?]
  private var head = 0
  public private(set) var count = 0

  public init(capacity: Int) {
    precondition(capacity > 0)
    ring = Array(repeating: nil, count: capacity)
  }

  public var isEmpty: Bool { count == 0 }
  public var isFull: Bool { count == ring.count }
  public var first: Element? { isEmpty ? nil : ring[head] }

  /// False, and nothing kept, when the queue is full.
  public mutating func append(_ element: Element) -> Bool {
    guard !isFull else { return false }
    ring[(head + count) % ring.count] = element
    count += 1
    return true
  }

  public mutating func popFirst() -> Element? {
    guard !isEmpty else { return nil }
    defer {
      ring[head] = nil
      head = (head + 1) % ring.count
      count -= 1
    }
    return ring[head]
  }
}
