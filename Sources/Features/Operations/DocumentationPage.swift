import Basics
import Crypto
import HTTP
import HTTPServer
import JSON

/// The description of the API for people: one page without scripts, of the same table that requests are dispatched by.
struct DocumentationPage {
  private(set) var html = ""

  /// Allows the page its own style, and nothing else.
  static let policy =
    "default-src 'none'; style-src 'sha256-\(Base64.encode(SHA256.hash(Array(style.utf8))))'; frame-ancestors 'none'"

  init(of operations: [Operation], version: String) {
    let groups = operations.byTag
    html = """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>FreshTrack API</title>
      <style>\(Self.style)</style>
      </head>
      <body>
      <header>
      <h1>FreshTrack API</h1>
      <p>Version \(Self.escaped(version)), \(operations.count) operations. For programs: <a href="openapi.json">openapi.json</a>.</p>
      \(Self.introduction)
      <nav>\(groups.map { "<a href=\"#\($0.tag)\">\($0.tag)</a>" }.joined(separator: " ")) <a href="#shapes">What answers hold</a></nav>
      </header>

      """
    for group in groups {
      html += "<section id=\"\(group.tag)\">\n<h2>\(group.tag)</h2>\n"
      for operation in group.operations { write(operation) }
      html += "</section>\n"
    }
    writeShapes(of: operations)
    html += "</body>\n</html>\n"
  }

  private static let introduction = """
    <p>Bodies are JSON. Date-times are RFC 3339: taken with <code>Z</code> or an offset, sent in UTC. Temperatures are
    degrees of the unit's own scale; <code>temperatureUnit</code> beside them says which. <code>PUT</code> and
    <code>PATCH</code> keep what is not sent. An error names what is wrong, field by field:</p>
    <pre>{"error":{"code":"VALIDATION_FAILED","message":"The request is not valid","requestId":"0mr6a6prdjc10",
    "details":[{"path":"name","message":"is required"}]}}</pre>
    """

  // MARK: - Operations

  private mutating func write(_ operation: Operation) {
    let contract = operation.contract
    let method = operation.method.name
    html += """
      <details id="\(operation.id)">
      <summary><b class="\(method.lowercased())">\(method)</b> <code>\(Self.escaped(operation.path))</code>
      <span>\(Self.escaped(contract.summary))</span></summary>
      <p>\(Self.escaped(Self.access(contract)))</p>

      """
    write("Path", operation.parameters.map { ($0.name, $0) })
    write("Query", contract.query.map { ($0.name, $0) })
    if let body = contract.body {
      let kind = body.mediaType + (body.isRequired ? "" : ", may be absent")
      write("Body: \(kind)", body.schema.fields)
    }
    for answer in operation.answers { write(answer) }
    html += "<p>Errors: \(operation.errors.map { "\($0.code)" }.joined(separator: ", "))</p>\n"
    html += "<pre>\(Self.escaped(Self.curl(operation)))</pre>\n</details>\n"
  }

  /// A body that has a name is told at the end of the page.
  private mutating func write(_ answer: Contract.Answer) {
    html += "<h3>\(answer.status.code) \(answer.status.reason)"
    guard let body = answer.body else {
      html += "</h3>\n"
      return
    }
    guard body.mediaType == "application/json" else {
      html += ", \(Self.escaped(body.mediaType))</h3>\n"
      return
    }
    html += ", \(Self.escaped(body.schema.noun))</h3>\n"
    let names = body.schema.named.keys.sorted()
    if names.isEmpty { return write(body.schema.fields, isRequest: false) }
    html += "<p>\(names.map { "<a href=\"#\($0)\">\($0)</a>" }.joined(separator: ", "))</p>\n"
  }

  private mutating func writeShapes(of operations: [Operation]) {
    let schemas = operations.flatMap(\.answers).compactMap { $0.body?.schema }
    let named = schemas.reduce(into: [:]) { $0.merge($1.named) { $1 } }
    html += "<section id=\"shapes\">\n<h2>What answers hold</h2>\n"
    for (name, schema) in named.sorted(by: { $0.key < $1.key }) {
      html += "<h3 id=\"\(name)\">\(name)</h3>\n"
      write(schema.fields, isRequest: false)
    }
    html += "</section>\n"
  }

  private mutating func write(_ title: String, _ fields: [(place: String, property: Schema.Property)]) {
    guard !fields.isEmpty else { return }
    html += "<h3>\(Self.escaped(title))</h3>\n"
    write(fields, isRequest: true)
  }

  private mutating func write(_ fields: [(place: String, property: Schema.Property)], isRequest: Bool) {
    html += "<table>\n"
    for (place, property) in fields {
      var remarks: [String] = []
      if isRequest, property.isRequired { remarks.append("required") }
      if !isRequest, !property.isRequired { remarks.append("may be absent") }
      if let fallback = property.fallback { remarks.append("default \(String(decoding: fallback, as: UTF8.self))") }
      if let note = property.schema.note { remarks.append(note) }
      html += "<tr><td><code>\(Self.escaped(place))</code><td>\(Self.escaped(property.schema.phrase))"
      html += "<td>\(Self.escaped(remarks.joined(separator: "; ")))\n"
    }
    html += "</table>\n"
  }

  private static func access(_ contract: Contract) -> String {
    guard !contract.credentials.isEmpty else { return "For anyone." }
    let headers = contract.credentials.map { $0.isBearer ? "Authorization: Bearer" : $0.header }
    let role = contract.role.map { "For the role \($0) or higher, by" } ?? "By"
    return "\(role) \(headers.joined(separator: " or "))."
  }

  private static func curl(_ operation: Operation) -> String {
    var parts = ["curl"]
    if operation.changes { parts.append("-X \(operation.method.name)") }
    let path = operation.pattern.split(separator: "/", omittingEmptySubsequences: false).map { part in
      part == ":organizationId" ? "$ORG" : part.first == ":" ? "$" + part.dropFirst().uppercased() : String(part)
    }
    let required = operation.contract.query.filter(\.isRequired).map { "\($0.name)=$\($0.name.uppercased())" }
    let query = required.isEmpty ? "" : "?" + required.joined(separator: "&")
    parts.append("\"$URL\(path.joined(separator: "/"))\(query)\"")
    if let credential = operation.contract.credentials.first {
      let value = credential.isBearer ? "Authorization: Bearer $TOKEN" : "\(credential.header): $KEY"
      parts.append("-H \"\(value)\"")
    }
    if let body = operation.contract.body {
      parts.append("-H 'Content-Type: \(body.mediaType)'")
      let isJSON = body.mediaType == "application/json"
      parts.append(isJSON ? "-d '\(String(decoding: body.schema.example(), as: UTF8.self))'" : "--data-binary @file")
    }
    return parts.joined(separator: " ")
  }

  static func escaped(_ text: String) -> String {
    text.reduce(into: "") { result, character in
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
  }

  private static let style = """
    :root{color-scheme:light dark;--line:#8884;--soft:#8881}
    body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
    code,pre,b{font-family:ui-monospace,monospace;font-size:.9em}
    pre{background:var(--soft);padding:.75rem;overflow-x:auto;border-radius:.3rem}
    nav a{margin-right:.75rem}
    details{border:1px solid var(--line);border-radius:.3rem;margin:.4rem 0;padding:.4rem .75rem}
    summary{cursor:pointer}
    summary b{display:inline-block;min-width:4.5rem}
    summary span{opacity:.75;margin-left:.5rem}
    h3{font-size:1rem;margin:.75rem 0 .25rem}
    table{border-collapse:collapse;width:100%}
    td{border-top:1px solid var(--line);padding:.2rem .75rem .2rem 0;vertical-align:top}
    .get{color:#2a7}.post{color:#38c}.put,.patch{color:#b70}.delete{color:#c44}
    """
}
