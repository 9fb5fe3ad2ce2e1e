import HTTP
import HTTPServer
import JSON

/// The description of the API for programs: OpenAPI 3.1.
enum OpenAPI {
  static func document(of operations: [Operation], version: String) -> [UInt8] {
    JSONWriter.bytes { json in
      json.object { json in
        json.field("openapi", "3.1.0")
        json.object("info") { json in
          json.field("title", "FreshTrack")
          json.field("summary", "Cold-chain monitoring: units, their readings, and what is to be done about them.")
          json.field("version", version)
          json.object("license") { json in
            json.field("name", "Apache 2.0")
            json.field("identifier", "Apache-2.0")
          }
        }
        json.array("servers") { json in json.object { $0.field("url", "/") } }
        json.array("tags") { json in for group in operations.byTag { json.object { $0.field("name", group.tag) } } }
        json.object("paths") { json in write(paths: operations, &json) }
        json.object("components") { json in write(components: operations, &json) }
      }
    }
  }

  private static func write(paths operations: [Operation], _ json: inout JSONWriter) {
    var paths: [String] = []
    for operation in operations where !paths.contains(operation.path) { paths.append(operation.path) }
    for path in paths {
      json.object(path) { json in
        for operation in operations where operation.path == path {
          json.object(operation.method.name.lowercased()) { json in write(operation, &json) }
        }
      }
    }
  }

  private static func write(_ operation: Operation, _ json: inout JSONWriter) {
    let contract = operation.contract
    json.field("operationId", operation.id)
    json.field("summary", contract.summary)
    json.array("tags") { $0.string(contract.tag) }
    if let role = contract.role {
      json.field("description", "Needs the role \(role) or higher.")
      json.field("x-role", role)
    }
    json.array("security") { json in
      for credential in contract.credentials { json.object { json in json.array(credential.name) { _ in } } }
    }
    if !operation.parameters.isEmpty || !contract.query.isEmpty {
      json.array("parameters") { json in
        for parameter in operation.parameters { write(parameter, in: "path", &json) }
        for parameter in contract.query { write(parameter, in: "query", &json) }
      }
    }
    if let body = contract.body {
      json.object("requestBody") { json in
        json.field("required", body.isRequired)
        write([body], &json)
      }
    }
    json.object("responses") { json in
      for status in operation.statuses {
        json.object("\(status.code)") { json in
          json.field("description", status.reason)
          var bodies = operation.answers.filter { $0.status == status }.compactMap(\.body)
          // The server refuses some requests before the route sees them.
          if status.code >= 400, !bodies.contains(where: { $0.mediaType == "application/json" }) {
            bodies.append(Contract.Body(error))
          }
          write(bodies, &json)
        }
      }
      for error in operation.errors {
        json.object("\(error.code)") { $0.field("$ref", "#/components/responses/\(name(of: error))") }
      }
    }
  }

  private static func write(_ parameter: Schema.Property, in place: String, _ json: inout JSONWriter) {
    json.object { json in
      json.field("name", parameter.name)
      json.field("in", place)
      json.field("required", parameter.isRequired)
      json.key("schema")
      parameter.write(to: &json)
    }
  }

  private static func write(_ bodies: [Contract.Body], _ json: inout JSONWriter) {
    guard !bodies.isEmpty else { return }
    json.object("content") { json in
      for body in bodies {
        json.object(body.mediaType) { json in
          json.key("schema")
          body.schema.write(to: &json)
        }
      }
    }
  }

  // MARK: - Components

  /// The one shape of errors.
  private static let error = Schema.object(
    "Error",
    [
      .object(
        "error",
        [
          .text("code"), .text("message"), .text("requestId"),
          .array("details", of: .object([.text("path"), .text("message")])).optional,
        ])
    ])

  private static func name(of status: Status) -> String { String(status.reason.filter(\.isLetter)) }

  private static func write(components operations: [Operation], _ json: inout JSONWriter) {
    let schemas = operations.flatMap { operation in
      operation.contract.answers.compactMap { $0.body?.schema } + (operation.contract.body.map { [$0.schema] } ?? [])
    }
    let named = (schemas + [error]).reduce(into: [:]) { $0.merge($1.named) { $1 } }
    json.object("schemas") { json in
      for (name, schema) in named.sorted(by: { $0.key < $1.key }) {
        json.key(name)
        schema.writeDefinition(to: &json)
      }
    }
    let errors = Set(operations.flatMap(\.errors)).sorted { $0.code < $1.code }
    json.object("responses") { json in
      for status in errors {
        json.object(name(of: status)) { json in
          json.field("description", status.reason)
          write([Contract.Body(error)], &json)
        }
      }
    }
    let credentials = Set(operations.flatMap(\.contract.credentials)).sorted { $0.name < $1.name }
    json.object("securitySchemes") { json in
      for credential in credentials { json.object(credential.name) { json in write(credential, &json) } }
    }
  }

  private static func write(_ credential: Credential, _ json: inout JSONWriter) {
    if credential.isBearer {
      json.field("type", "http")
      json.field("scheme", "bearer")
    } else {
      json.field("type", "apiKey")
      json.field("in", "header")
      json.field("name", credential.header)
    }
    json.field("description", credential.note)
  }
}
