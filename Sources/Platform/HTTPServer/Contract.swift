import HTTP
import JSON

/// What a route promises: who may call it, what it takes and what it gives. The documentation and the tests that call
/// every route are made from it.
public struct Contract: Sendable {
  /// One line.
  public var summary: String
  /// What it belongs to.
  public var tag: String
  /// Any one of them lets a caller in; none: anyone may call.
  public var credentials: [Credential]
  /// The lowest role that may.
  public var role: String?
  public var query: [Schema.Property]
  public var body: Body?
  public var answers: [Answer]

  public struct Body: Sendable {
    public var schema: Schema
    public var mediaType: String
    public var isRequired: Bool

    public init(_ schema: Schema, mediaType: String = "application/json", isRequired: Bool = true) {
      self.schema = schema
      self.mediaType = mediaType
      self.isRequired = isRequired
    }
  }

  /// An answer that is no error.
  public struct Answer: Sendable {
    public let status: Status
    /// Nil: it has no body.
    public let body: Body?

    public init(_ status: Status, _ body: Body? = nil) {
      self.status = status
      self.body = body
    }
  }

  /// `room` is the `#fileID` of who declares the route: the tag is its module.
  public init(
    _ summary: String, by credentials: [Credential] = [], role: String? = nil, asks query: [Schema.Property] = [],
    takes body: Body? = nil, gives answers: Answers, room: String
  ) {
    self.summary = summary
    tag = String(room.prefix { $0 != "/" })
    self.credentials = credentials
    self.role = role
    self.query = query
    self.body = body
    self.answers = answers.all
  }
}

/// How a caller proves who he is: what stands in which header.
public struct Credential: Sendable, Hashable {
  /// As the documentation calls it.
  public let name: String
  public let header: String
  /// `Authorization: Bearer`.
  public let isBearer: Bool
  public let note: String

  public init(_ name: String, header: String, isBearer: Bool = false, note: String) {
    self.name = name
    self.header = header
    self.isBearer = isBearer
    self.note = note
  }
}

/// The answers of a route that are no errors.
public struct Answers: Sendable {
  let all: [Contract.Answer]

  private init(_ all: [Contract.Answer]) { self.all = all }

  public static func one(_ schema: Schema) -> Answers { json(.ok, schema) }
  public static func list(_ element: Schema) -> Answers { json(.ok, .array(of: element)) }
  public static func created(_ schema: Schema) -> Answers { json(.created, schema) }
  public static func accepted(_ schema: Schema) -> Answers { json(.accepted, schema) }
  /// 204.
  public static let nothing = Answers([Contract.Answer(.noContent)])

  public static func json(_ status: Status, _ schema: Schema) -> Answers {
    Answers([Contract.Answer(status, Contract.Body(schema))])
  }

  /// A body that is no JSON: `text/csv`.
  public static func file(_ mediaType: String, _ status: Status = .ok) -> Answers {
    Answers([Contract.Answer(status, Contract.Body(.text, mediaType: mediaType))])
  }

  /// A status without a body.
  public static func status(_ status: Status) -> Answers { Answers([Contract.Answer(status)]) }

  /// Two of one status and one media type are one that holds either.
  public func or(_ other: Answers) -> Answers {
    var all = all
    for answer in other.all {
      let place = all.firstIndex { $0.status == answer.status && $0.body?.mediaType == answer.body?.mediaType }
      if let place, let known = all[place].body, let new = answer.body {
        let body = Contract.Body(.either(known.schema, new.schema), mediaType: new.mediaType)
        all[place] = Contract.Answer(answer.status, body)
      } else if place == nil {
        all.append(answer)
      }
    }
    return Answers(all)
  }
}

extension Route {
  /// The same route with its contract, for those that no gate makes.
  public func described(
    _ summary: String, by credentials: [Credential] = [], asks query: [Schema.Property] = [],
    takes body: Contract.Body? = nil, gives answers: Answers, room: String = #fileID
  ) -> Route {
    var route = self
    route.contract = Contract(
      summary, by: credentials, asks: query, takes: body, gives: answers, room: room)
    return route
  }

  /// The names of the parameters of its path.
  public var parameterNames: [String] {
    pattern.split(separator: "/").filter { $0.first == ":" }.map { String($0.dropFirst()) }
  }
}
