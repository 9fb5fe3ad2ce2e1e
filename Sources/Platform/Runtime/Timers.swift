/// A timer of one loop.
public struct TimerID: Hashable, Sendable {
  let number: UInt64
}

/// Deadlines of one loop: a heap whose cancelled entries are dropped when they surface or outnumber the live ones.
struct Timers {
  private var bodies: [UInt64: () -> Void] = [:]
  private var heap: [(deadline: UInt64, number: UInt64)] = []
  private var lastNumber: UInt64 = 0

  /// A name for a timer that will be scheduled later.
  mutating func reserve() -> TimerID {
    lastNumber += 1
    return TimerID(number: lastNumber)
  }

  mutating func schedule(at deadline: UInt64, _ body: @escaping () -> Void) -> TimerID {
    let timer = reserve()
    schedule(timer, at: deadline, body)
    return timer
  }

  mutating func schedule(_ timer: TimerID, at deadline: UInt64, _ body: @escaping () -> Void) {
    bodies[timer.number] = body
    if heap.count > 64, heap.count > 2 * bodies.count { dropCancelled() }
    heap.append((deadline, timer.number))
    siftUp(heap.count - 1)
  }

  mutating func cancel(_ timer: TimerID) -> Bool { take(timer) != nil }

  /// The body of a timer before its time; nil when it has fired or was cancelled.
  mutating func take(_ timer: TimerID) -> (() -> Void)? { bodies.removeValue(forKey: timer.number) }

  /// Monotonic nanoseconds of the earliest live timer.
  var nextDeadline: UInt64? {
    mutating get {
      while let first = heap.first, bodies[first.number] == nil { removeFirst() }
      return heap.first?.deadline
    }
  }

  /// The body of a timer whose time has come, earliest first; the timer is gone then.
  mutating func popDue(_ now: UInt64) -> (() -> Void)? {
    while let first = heap.first, first.deadline <= now {
      removeFirst()
      if let body = bodies.removeValue(forKey: first.number) { return body }
    }
    return nil
  }

  private mutating func dropCancelled() {
    heap.removeAll { bodies[$0.number] == nil }
    heap.sort { $0.deadline < $1.deadline }
  }

  private mutating func removeFirst() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while case let left = 2 * parent + 1, left < heap.count {
      let right = left + 1
      let least = right < heap.count && heap[right].deadline < heap[left].deadline ? right : left
      guard heap[least].deadline < heap[parent].deadline else { return }
      heap.swapAt(least, parent)
      parent = least
    }
  }

  private mutating func siftUp(_ start: Int) {
    var child = start
    while child > 0, case let parent = (child - 1) / 2, heap[child].deadline < heap[parent].deadline {
      heap.swapAt(child, parent)
      child = parent
    }
  }
}
