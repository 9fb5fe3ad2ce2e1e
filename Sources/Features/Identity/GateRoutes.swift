import Forms
import HTTP
import HTTPServer

/// `asks` reads the query, `takes` the body; what they give is passed to the handler in this order.
extension Gate {
  public typealias Reading<Value> = @Sendable (inout Query) throws -> Value
  public typealias Handler = @Sendable (Request, OrganizationScope) async throws -> Response
  public typealias Handler1<A> = @Sendable (Request, OrganizationScope, A) async throws -> Response
  public typealias Handler2<A, B> = @Sendable (Request, OrganizationScope, A, B) async throws -> Response

  // MARK: - GET

  public func get(
    _ pattern: String, _ minimum: Role, _ summary: String, gives answers: Answers, room: String = #fileID,
    _ handler: @escaping Handler
  ) -> [Route] {
    [
      route(.get, pattern, minimum, summary, .nothing, answers, room) { request, caller, _ in
        try await handler(request, caller)
      }
    ]
  }

  public func get<A>(
    _ pattern: String, _ minimum: Role, _ summary: String, asks query: @escaping Reading<A>, gives answers: Answers,
    room: String = #fileID, _ handler: @escaping Handler1<A>
  ) -> [Route] {
    [route(.get, pattern, minimum, summary, .query(query), answers, room, handler)]
  }

  // MARK: - POST

  public func post(
    _ pattern: String, _ minimum: Role, _ summary: String, gives answers: Answers, room: String = #fileID,
    _ handler: @escaping Handler
  ) -> [Route] {
    [
      route(.post, pattern, minimum, summary, .nothing, answers, room) { request, caller, _ in
        try await handler(request, caller)
      }
    ]
  }

  public func post<A>(
    _ pattern: String, _ minimum: Role, _ summary: String, asks query: @escaping Reading<A>, gives answers: Answers,
    room: String = #fileID, _ handler: @escaping Handler1<A>
  ) -> [Route] {
    [route(.post, pattern, minimum, summary, .query(query), answers, room, handler)]
  }

  public func post<B>(
    _ pattern: String, _ minimum: Role, _ summary: String, takes body: Body<B>, gives answers: Answers,
    room: String = #fileID, _ handler: @escaping Handler1<B>
  ) -> [Route] {
    [route(.post, pattern, minimum, summary, .body(body), answers, room, handler)]
  }

  public func post<A, B>(
    _ pattern: String, _ minimum: Role, _ summary: String, asks query: @escaping Reading<A>, takes body: Body<B>,
    gives answers: Answers, room: String = #fileID, _ handler: @escaping Handler2<A, B>
  ) -> [Route] {
    let input = Input.both(.query(query), .body(body))
    return [
      route(.post, pattern, minimum, summary, input, answers, room) { try await handler($0, $1, $2.0, $2.1) }
    ]
  }

  // MARK: - PUT and PATCH, which are the same: a partial update

  public func put<B>(
    _ pattern: String, _ minimum: Role, _ summary: String, takes body: Body<B>, gives answers: Answers,
    room: String = #fileID, _ handler: @escaping Handler1<B>
  ) -> [Route] {
    [Method.put, .patch].map { route($0, pattern, minimum, summary, .body(body), answers, room, handler) }
  }

  public func put<A, B>(
    _ pattern: String, _ minimum: Role, _ summary: String, asks query: @escaping Reading<A>, takes body: Body<B>,
    gives answers: Answers, room: String = #fileID, _ handler: @escaping Handler2<A, B>
  ) -> [Route] {
    let input = Input.both(.query(query), .body(body))
    return [Method.put, .patch].map {
      route($0, pattern, minimum, summary, input, answers, room) { try await handler($0, $1, $2.0, $2.1) }
    }
  }

  // MARK: - DELETE

  public func delete(
    _ pattern: String, _ minimum: Role, _ summary: String, gives answers: Answers = .nothing, room: String = #fileID,
    _ handler: @escaping Handler
  ) -> [Route] {
    [
      route(.delete, pattern, minimum, summary, .nothing, answers, room) { request, caller, _ in
        try await handler(request, caller)
      }
    ]
  }

  public func delete<A>(
    _ pattern: String, _ minimum: Role, _ summary: String, asks query: @escaping Reading<A>,
    gives answers: Answers = .nothing, room: String = #fileID, _ handler: @escaping Handler1<A>
  ) -> [Route] {
    [route(.delete, pattern, minimum, summary, .query(query), answers, room, handler)]
  }
}

/// Routes of any user, whatever organizations they belong to.
extension Gate {
  public typealias UserHandler = @Sendable (Request, Principal) async throws -> Response
  public typealias UserHandler1<A> = @Sendable (Request, Principal, A) async throws -> Response

  public func user(
    _ method: Method, _ pattern: String, _ summary: String, gives answers: Answers, room: String = #fileID,
    _ handler: @escaping UserHandler
  ) -> [Route] {
    [
      route(method, pattern, summary, .nothing, answers, room) { request, caller, _ in
        try await handler(request, caller)
      }
    ]
  }

  public func user<A>(
    _ method: Method, _ pattern: String, _ summary: String, asks query: @escaping Reading<A>, gives answers: Answers,
    room: String = #fileID, _ handler: @escaping UserHandler1<A>
  ) -> [Route] {
    [route(method, pattern, summary, .query(query), answers, room, handler)]
  }

  public func user<B>(
    _ method: Method, _ pattern: String, _ summary: String, takes body: Body<B>, gives answers: Answers,
    room: String = #fileID, _ handler: @escaping UserHandler1<B>
  ) -> [Route] {
    [route(method, pattern, summary, .body(body), answers, room, handler)]
  }
}

/// Routes of the platform's super admins.
extension Gate {
  typealias PlatformHandler = @Sendable (Request, PlatformScope) async throws -> Response
  typealias PlatformHandler1<A> = @Sendable (Request, PlatformScope, A) async throws -> Response

  func platform(
    _ method: Method, _ pattern: String, _ summary: String, gives answers: Answers, room: String = #fileID,
    _ handler: @escaping PlatformHandler
  ) -> [Route] {
    [
      platformRoute(method, pattern, summary, .nothing, answers, room) { request, caller, _ in
        try await handler(request, caller)
      }
    ]
  }

  func platform<A>(
    _ method: Method, _ pattern: String, _ summary: String, asks query: @escaping Reading<A>, gives answers: Answers,
    room: String = #fileID, _ handler: @escaping PlatformHandler1<A>
  ) -> [Route] {
    [platformRoute(method, pattern, summary, .query(query), answers, room, handler)]
  }

  func platform<B>(
    _ method: Method, _ pattern: String, _ summary: String, takes body: Body<B>, gives answers: Answers,
    room: String = #fileID, _ handler: @escaping PlatformHandler1<B>
  ) -> [Route] {
    [platformRoute(method, pattern, summary, .body(body), answers, room, handler)]
  }
}
