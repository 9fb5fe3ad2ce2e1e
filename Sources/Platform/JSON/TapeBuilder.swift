/// Reads a text once, from front to back, and writes its tape.
struct TapeBuilder {
  private(set) var words: [UInt64] = []
  private let limits: JSONLimits
  /// The word of the innermost open array or object, and what it holds so far.
  private var open = -1
  private var count = 0
  private var depth = 0

  init(limits: JSONLimits, textLength: Int) {
    self.limits = limits
    // Compact machine JSON has a value or key about every eight bytes.
    words.reserveCapacity(min(textLength / 8, 1 << 16) + 8)
  }

  mutating func build(_ text: Span<UInt8>) throws(JSONError) {
    var at = text.skippingSpace(0)
    while true {
      let byte = text.byte(at)
      if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") {
        let isObject = byte == UInt8(ascii: "{")
        try enter(isObject ? .object : .array, at)
        at = text.skippingSpace(at + 1)
        if text.byte(at) != byte + 2 {
          if isObject { at = try key(text, at) }
          continue
        }
      } else {
        at = try scalar(text, at)
        if open >= 0 { count += 1 }
        at = text.skippingSpace(at)
      }
      // After a value: close what ends here, until another value is due.
      while true {
        guard open >= 0 else {
          if at < text.count { throw JSONError(offset: at, reason: "more text after the value") }
          return
        }
        let isObject = Entry(words[open]).kind == .object
        let byte = text.byte(at)
        if byte == UInt8(ascii: ",") {
          at = text.skippingSpace(at + 1)
          if isObject { at = try key(text, at) }
          break
        }
        guard byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
          throw text.unexpected(at, wanted: isObject ? "',' or '}'" : "',' or ']'")
        }
        try leave(text, at + 1)
        at = text.skippingSpace(at + 1)
      }
    }
  }

  // MARK: - Arrays and objects

  private mutating func enter(_ kind: Entry.Kind, _ at: Int) throws(JSONError) {
    depth += 1
    guard depth <= limits.depth else { throw JSONError(offset: at, reason: "nested deeper than \(limits.depth)") }
    // Until it closes, the second word remembers the container around it, which keeps its own count meanwhile.
    if open >= 0 { words[open + 1] = Closing(end: Closing(words[open + 1]).end, count: count).word }
    let parent = open
    open = words.count
    words.append(Entry(kind, start: at, extent: 0).word)
    words.append(Closing(end: parent + 1, count: 0).word)
    count = 0
  }

  private mutating func leave(_ text: Span<UInt8>, _ end: Int) throws(JSONError) {
    let entry = Entry(words[open])
    if entry.kind == .object, count > 1, !limits.allowsDuplicateKeys {
      try refuseDuplicates(text, hasEscapes: entry.isFlagged)
    }
    let parent = Closing(words[open + 1]).end - 1
    words[open] = Entry(entry.kind, start: entry.start, extent: words.count, flagged: entry.isFlagged).word
    words[open + 1] = Closing(end: end, count: count).word
    open = parent
    depth -= 1
    if parent >= 0 { count = Closing(words[parent + 1]).count + 1 }
  }

  /// A key and its colon; returns where the value starts.
  private mutating func key(_ text: Span<UInt8>, _ at: Int) throws(JSONError) -> Int {
    guard text.byte(at) == UInt8(ascii: "\"") else { throw text.unexpected(at, wanted: "a key") }
    let (end, hasEscapes) = try text.stringEnd(at + 1)
    words.append(Entry(.string, start: at + 1, extent: end - at - 1, flagged: hasEscapes).word)
    if hasEscapes { words[open] |= 8 }
    let colon = text.skippingSpace(end + 1)
    guard text.byte(colon) == UInt8(ascii: ":") else { throw text.unexpected(colon, wanted: "':'") }
    return text.skippingSpace(colon + 1)
  }

  // MARK: - Scalars

  private mutating func scalar(_ text: Span<UInt8>, _ at: Int) throws(JSONError) -> Int {
    switch text.byte(at) {
    case UInt8(ascii: "\""):
      let (end, hasEscapes) = try text.stringEnd(at + 1)
      words.append(Entry(.string, start: at + 1, extent: end - at - 1, flagged: hasEscapes).word)
      return end + 1
    case UInt8(ascii: "-"), 0x30...0x39:
      let (end, isInteger) = try text.numberEnd(at)
      words.append(Entry(.number, start: at, extent: end - at, flagged: !isInteger).word)
      return end
    case UInt8(ascii: "t"): return try literal(text, at, "true", .true)
    case UInt8(ascii: "f"): return try literal(text, at, "false", .false)
    case UInt8(ascii: "n"): return try literal(text, at, "null", .null)
    default: throw text.unexpected(at, wanted: "a value")
    }
  }

  private mutating func literal(_ text: Span<UInt8>, _ at: Int, _ name: StaticString, _ kind: Entry.Kind)
    throws(JSONError) -> Int
  {
    let matches = name.withUTF8Buffer { name in
      name.indices.allSatisfy { text.byte(at + $0) == name[$0] }
    }
    guard matches else { throw text.unexpected(at, wanted: "a value") }
    words.append(Entry(kind, start: at, extent: name.utf8CodeUnitCount).word)
    return at + name.utf8CodeUnitCount
  }

  // MARK: - Equal keys

  /// Up to here every pair of keys is compared; longer objects are sorted by a hash that the sender cannot predict.
  private static let fewKeys = 24

  private func refuseDuplicates(_ text: Span<UInt8>, hasEscapes: Bool) throws(JSONError) {
    if hasEscapes || count > TapeBuilder.fewKeys { return try refuseDuplicatesByHash(text) }
    // The tail of the tape is this object: its members, each with all that lies in it.
    try withFingerprints(text)
  }

  private func withFingerprints(_ text: Span<UInt8>) throws(JSONError) {
    var marks = InlineArray<24, UInt64>(repeating: 0)
    var keys = InlineArray<24, Int>(repeating: 0)
    var at = open + 2
    for place in 0..<count {
      let entry = Entry(words[at])
      let mark = text.fingerprint(entry)
      for earlier in 0..<place where marks[earlier] == mark {
        if text.equal(Entry(words[keys[earlier]]), entry) { throw duplicate(text, entry) }
      }
      marks[place] = mark
      keys[place] = at
      at = after(at + 1)
    }
  }

  private func refuseDuplicatesByHash(_ text: Span<UInt8>) throws(JSONError) {
    var seen: Set<[UInt8]> = []
    seen.reserveCapacity(count)
    var at = open + 2
    for _ in 0..<count {
      let entry = Entry(words[at])
      let key = text.extracting(entry.start..<entry.start + entry.extent).unescaped()
      guard seen.insert(key).inserted else { throw duplicate(text, entry) }
      at = after(at + 1)
    }
  }

  private func duplicate(_ text: Span<UInt8>, _ key: Entry) -> JSONError {
    JSONError(offset: key.start - 1, reason: "a key that its object already has")
  }

  private func after(_ index: Int) -> Int {
    let entry = Entry(words[index])
    return entry.isContainer ? entry.extent : index + 1
  }
}
