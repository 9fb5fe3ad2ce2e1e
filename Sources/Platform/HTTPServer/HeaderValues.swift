import Basics
import HTTP

/// `Accept-Encoding` with `gzip` or `*` that is not weighed zero (RFC 9110 section 12.5.3).
func acceptsGzip(_ value: ArraySlice<UInt8>) -> Bool {
  var any = false
  for item in value.split(separator: 0x2C) {
    let parts = item.split(separator: 0x3B)
    guard let name = parts.first.map(trimmed) else { continue }
    let isGzip = isNamed(name, "gzip") || isNamed(name, "x-gzip")
    guard isGzip || isNamed(name, "*") else { continue }
    let isRefused = parts.dropFirst().contains { part in
      let weight = trimmed(part)
      return weight.starts(with: "q=0".utf8) && weight.dropFirst(3).allSatisfy { $0 == 0x2E || $0 == 0x30 }
    }
    if isGzip { return !isRefused }
    any = !isRefused
  }
  return any
}

func isGzip(_ coding: ArraySlice<UInt8>) -> Bool { isNamed(coding, "gzip") || isNamed(coding, "x-gzip") }

/// `application/json` or any `+json`, whatever its parameters.
func isJSON(_ contentType: ArraySlice<UInt8>) -> Bool {
  let type = trimmed(contentType.prefix { $0 != 0x3B })
  return isNamed(type, "application/json") || type.count > 5 && isNamed(type.suffix(5), "+json")
}

/// `name` in any case, whatever its parameters.
func isMediaType(_ contentType: ArraySlice<UInt8>, _ name: String) -> Bool {
  let type = trimmed(contentType.prefix { $0 != 0x3B })
  return type.count == name.utf8.count && zip(type, name.utf8).allSatisfy { ASCII.lowercased($0) == $1 }
}

/// Every escape is whole and the text UTF-8.
func isValidQuery(_ query: ArraySlice<UInt8>) -> Bool {
  !query.contains(0x25) || PercentEncoding.decode(query) != nil
}

/// Whether an `If-None-Match` names this tag; weak comparison (RFC 9110 section 13.1.2).
func matches(_ condition: String, tag: String) -> Bool {
  func strong(_ text: Substring) -> Substring { text.hasPrefix("W/") ? text.dropFirst(2) : text }
  return condition.split(separator: ",").contains { item in
    let item = item.drop { $0 == " " || $0 == "\t" }
    let end = item.lastIndex { $0 != " " && $0 != "\t" }
    guard let end else { return false }
    return item[...end] == "*" || strong(item[...end]) == strong(tag[...])
  }
}

func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
  guard let first = bytes.firstIndex(where: { $0 != 0x20 && $0 != 0x09 }),
    let last = bytes.lastIndex(where: { $0 != 0x20 && $0 != 0x09 })
  else { return [] }
  return bytes[first...last]
}

private func isNamed(_ bytes: ArraySlice<UInt8>, _ name: StaticString) -> Bool {
  guard bytes.count == name.utf8CodeUnitCount else { return false }
  return name.withUTF8Buffer { ASCII.equalIgnoringCase(bytes, $0) }
}
