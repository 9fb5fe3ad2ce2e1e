import HTTP

extension Request {
  /// The value of a `Link` header: the same request, from behind `cursor` on (RFC 8288).
  func next(cursor: Int64) -> String {
    let kept = rawQuery.split(separator: UInt8(ascii: "&")).filter { !$0.starts(with: "cursor=".utf8) }
    let query = (kept.map { String(decoding: $0, as: UTF8.self) } + ["cursor=\(cursor)"]).joined(separator: "&")
    return "<\(path)?\(query)>; rel=\"next\""
  }
}
