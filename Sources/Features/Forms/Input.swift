import HTTP
import HTTPServer
import JSON

/// What a route takes in its body: how to read it, and the schema that follows from reading it.
public struct Body<Value>: Sendable {
  let contract: Contract.Body
  /// Bytes.
  let limit: Int
  let read: @Sendable (ArraySlice<UInt8>) throws -> Value

  /// An object. `mayBeEmpty`: no body at all is taken as one without fields.
  public static func fields(
    upTo limit: Int = 1 << 20, mayBeEmpty: Bool = false, _ read: @escaping @Sendable (inout Fields) throws -> Value
  ) -> Body {
    Body(
      contract: Contract.Body(describing { try Fields.describe { _ = try read(&$0) } }, isRequired: !mayBeEmpty),
      limit: limit
    ) { bytes in
      var fields = try Fields(body: mayBeEmpty && bytes.isEmpty ? Array("{}".utf8)[...] : bytes)
      let value = try read(&fields)
      try fields.check()
      return value
    }
  }

  /// The fields of a new row.
  public static func create(_ read: @escaping @Sendable (consuming Draft) throws -> Value) -> Body {
    draft(.create, read)
  }

  /// The fields of a row that are to change; the others keep their value.
  public static func change(_ read: @escaping @Sendable (consuming Draft) throws -> Value) -> Body {
    draft(.change, read)
  }

  private static func draft(
    _ purpose: Draft.Purpose, _ read: @escaping @Sendable (consuming Draft) throws -> Value
  ) -> Body {
    let schema = describing { try Draft.describe(purpose) { _ = try read($0) } }
    return Body(contract: Contract.Body(schema), limit: 1 << 20) { try read(try Draft(purpose, body: $0)) }
  }

  /// A reader that throws over nothing looks at what it has taken before all is checked.
  private static func describing(_ describe: () throws -> Schema) -> Schema {
    do { return try describe() } catch { preconditionFailure("a body cannot be described: \(error)") }
  }
}

extension Body<ArraySlice<UInt8>> {
  /// The bytes as they are.
  public static func bytes(_ mediaType: String, upTo limit: Int) -> Body {
    Body(contract: Contract.Body(.text, mediaType: mediaType), limit: limit) { $0 }
  }
}

/// What a route reads from a request before its handler runs.
public struct Input<Value>: Sendable {
  public private(set) var query: [Schema.Property] = []
  public private(set) var body: Contract.Body?
  /// Bytes of the body.
  public private(set) var limit = 1 << 20
  public let read: @Sendable (Request) throws -> Value

  public static func query(_ read: @escaping @Sendable (inout Query) throws -> Value) -> Input {
    let properties: [Schema.Property]
    do { properties = try Query.describe { _ = try read(&$0) } } catch {
      preconditionFailure("a query cannot be described: \(error)")
    }
    return Input(query: properties) { request in
      var query = Query(request)
      let value = try read(&query)
      try query.check()
      return value
    }
  }

  public static func body(_ body: Body<Value>) -> Input {
    Input(body: body.contract, limit: body.limit) { try body.read($0.body) }
  }

  public static func both<A, B>(_ query: Input<A>, _ body: Input<B>) -> Input where Value == (A, B) {
    Input(query: query.query, body: body.body, limit: body.limit) { (try query.read($0), try body.read($0)) }
  }
}

extension Input<Void> {
  public static var nothing: Input { Input { _ in } }
}
