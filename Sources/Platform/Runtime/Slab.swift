/// Elements under tokens that are never given twice: a token of a removed element finds nothing.
struct Slab<Element> {
  private var elements: [(generation: UInt32, element: Element?)] = []
  private var free: [UInt32] = []

  subscript(token: UInt64) -> Element? {
    let place = Int(token & 0xFFFF_FFFF)
    guard place < elements.count, elements[place].generation == UInt32(token >> 32) else { return nil }
    return elements[place].element
  }

  mutating func insert(_ element: Element) -> UInt64 {
    if let place = free.popLast() {
      elements[Int(place)].element = element
      return UInt64(elements[Int(place)].generation) << 32 | UInt64(place)
    }
    elements.append((0, element))
    return UInt64(elements.count - 1)
  }

  @discardableResult
  mutating func remove(_ token: UInt64) -> Bool {
    let place = Int(token & 0xFFFF_FFFF)
    guard self[token] != nil else { return false }
    elements[place] = (elements[place].generation &+ 1, nil)
    free.append(UInt32(place))
    return true
  }
}
