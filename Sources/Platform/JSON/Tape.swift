/// A document as a flat row of words, in the order of the text, over the bytes they point into.
///
/// A scalar or a key is one word: where its text lies (a string without its quotes). An array or object is two words, then
/// its contents: the first says where its text starts and which word follows its contents, the second where its text ends
/// and how many elements or members it has.
final class Tape: Sendable {
  let bytes: ArraySlice<UInt8>
  let words: [UInt64]

  init(bytes: ArraySlice<UInt8>, words: [UInt64]) {
    self.bytes = bytes
    self.words = words
  }

  /// The word after the value that starts at `index`.
  func after(_ index: Int) -> Int {
    let entry = Entry(words[index])
    return entry.isContainer ? entry.extent : index + 1
  }

  func text(_ entry: Entry) -> ArraySlice<UInt8> {
    let start = bytes.startIndex + entry.start
    return bytes[start..<start + entry.extent]
  }

  /// The content of a string or key, escapes resolved.
  func string(_ entry: Entry) -> String {
    entry.isFlagged ? String(decoding: unescaped(entry), as: UTF8.self) : String(decoding: text(entry), as: UTF8.self)
  }

  func unescaped(_ entry: Entry) -> [UInt8] {
    let bytes = bytes
    return bytes.span.extracting(entry.start..<entry.start + entry.extent).unescaped()
  }

  func equals(_ entry: Entry, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
    if entry.isFlagged { return unescaped(entry).elementsEqual(name) }
    return entry.extent == name.count && text(entry).elementsEqual(name)
  }
}

/// One word of the tape.
struct Entry {
  enum Kind: UInt64 { case null, `false`, `true`, number, string, array, object }

  let word: UInt64

  @inline(__always) init(_ word: UInt64) { self.word = word }

  @inline(__always) init(_ kind: Kind, start: Int, extent: Int, flagged: Bool = false) {
    word = kind.rawValue | (flagged ? 8 : 0) | UInt64(start) << 4 | UInt64(extent) << 34
  }

  var kind: Kind { Kind(rawValue: word & 7) ?? .null }
  var isContainer: Bool { word & 7 >= Kind.array.rawValue }
  /// Of a string: it has escapes. Of a number: it has a fraction or an exponent. Of an object: a key of it has escapes.
  var isFlagged: Bool { word & 8 != 0 }
  var start: Int { Int(word >> 4 & 0x3FFF_FFFF) }
  /// Of a scalar: the bytes of its text. Of an array or object: the word after its contents.
  var extent: Int { Int(word >> 34) }
}

/// The second word of an array or object.
struct Closing {
  let word: UInt64

  @inline(__always) init(_ word: UInt64) { self.word = word }
  /// Closed: the offset after its last byte. Still open: the word of the container around it.
  @inline(__always) init(end: Int, count: Int) { word = UInt64(end) << 32 | UInt64(count) }

  var end: Int { Int(word >> 32) }
  var count: Int { Int(word & 0xFFFF_FFFF) }
}
