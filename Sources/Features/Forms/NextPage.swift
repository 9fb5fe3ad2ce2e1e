import HTTP

extension Request {
  /// The value of `Link` that leads from the answer to the next page: the same question after this place (RFC 8288).
  public func next(after cursor: some CustomStringConvertible) -> String {
    let kept = rawQuery.split(separator: UInt8(ascii: "&")).filter { pair in
      let name = pair.prefix { $0 != UInt8(ascii: "=") }
      return !["cursor", "offset", "page", "count"].contains { name.elementsEqual($0.utf8) }
    }
    let parts = kept.map { String(decoding: $0, as: UTF8.self) } + ["cursor=\(cursor)"]
    return "<\(path)?\(parts.joined(separator: "&"))>; rel=\"next\""
  }
}
