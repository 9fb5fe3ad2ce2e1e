import Basics
import Forms
import HTTP
import HTTPServer
import JSON
import PostgreSQL

/// What anyone may ask without signing in, as often as the rate limit of their address allows: the end of mails, and
/// whether an address or a number is taken.
public struct PublicRoutes: Sendable {
  private let store: AccountStore
  private let tokens: UnsubscribeTokens
  private let limiter: RateLimiter

  public init(database: Database, tokens: UnsubscribeTokens, limiter: RateLimiter) {
    store = AccountStore(database: database)
    self.tokens = tokens
    self.limiter = limiter
  }

  public var routes: [Route] {
    let token = [Schema.Property.text("token")]
    return [
      Route(.get, "/unsubscribe", askToUnsubscribe).described(
        "A page with a button that ends digests", asks: token,
        gives: .file("text/html").or(.file("text/html", .badRequest))),
      Route(.post, "/unsubscribe", bodyLimit: 4096, content: .any, unsubscribe).described(
        "End digests; also by the mail program (RFC 8058)", asks: token,
        gives: .one(.unsubscribed).or(.file("text/html"))),
      Route(.get, "/api/availability/email", email).described(
        "Whether nobody uses this address yet", asks: [.text("email")], gives: .one(.availability)),
      Route(.get, "/api/availability/phone", phone).described(
        "Whether nobody uses this number yet", asks: [.text("phone")], gives: .one(.availability)),
    ]
  }

  // MARK: - Unsubscribing

  /// Changes nothing: programs that look into mails follow links too.
  @Sendable func askToUnsubscribe(_ request: Request) async throws -> Response {
    try admit(request)
    let text = request.query("token") ?? ""
    guard let wish = try await tokens.read(text, now: request.received) else { return try Self.linkIsOver(request) }
    let what = wish.kind == .all ? "all digests" : "the \(wish.kind.rawValue) digest"
    return OwnPage.html(
      .ok, "Unsubscribe",
      """
      <p>Do you want to stop \(what) of FreshTrack?</p>
      <form method="post" action="/unsubscribe?token=\(PercentEncoding.encode(text))">
      <button type="submit">Unsubscribe</button></form>
      """)
  }

  /// JSON unless a page is asked for. The same again is a success again.
  @Sendable func unsubscribe(_ request: Request) async throws -> Response {
    try admit(request)
    guard let wish = try await tokens.read(request.query("token") ?? "", now: request.received) else {
      return try Self.linkIsOver(request)
    }
    try await store.unsubscribe(
      wish, author: Audit.author(Principal(userId: wish.userId), request))
    if Self.wantsPage(request) { return OwnPage.html(.ok, "Done", "<p>You will not get these mails any more.</p>") }
    return .json { json in
      json.object { json in
        json.field("success", true)
        json.field("message", "You will not get these mails any more")
        json.field("type", wish.kind.rawValue)
      }
    }
  }

  private static func wantsPage(_ request: Request) -> Bool {
    request.header("Accept")?.contains("text/html") ?? false
  }

  private static func linkIsOver(_ request: Request) throws -> Response {
    guard wantsPage(request) else { throw HTTPError.badRequest("The link is not valid any more") }
    return OwnPage.html(
      .badRequest, "This link does not work any more",
      "<p>It is too old or was not copied whole. The link of a newer mail will do.</p>")
  }

  // MARK: - Availability

  @Sendable func email(_ request: Request) async throws -> Response {
    try admit(request)
    guard let email = EmailAddress(request.query("email") ?? "") else {
      throw InvalidFields("email", "must be an e-mail address")
    }
    return Self.available(try await !store.hasEmail(email.text))
  }

  @Sendable func phone(_ request: Request) async throws -> Response {
    try admit(request)
    let text = request.query("phone") ?? ""
    guard (10...20).contains(text.utf8.count), let phone = PhoneNumber(text) else {
      throw InvalidFields("phone", "must be a telephone number of 10 to 20 characters")
    }
    return Self.available(try await !store.hasPhone(phone.text))
  }

  private static func available(_ isFree: Bool) -> Response {
    .json { json in json.object { $0.field("available", isFree) } }
  }

  private func admit(_ request: Request) throws { try limiter.admit(.address(request.peer), now: request.received) }
}

/// The few pages that the server shows itself: no script, no picture, nothing from elsewhere.
private enum OwnPage {
  /// `title` and `body` are HTML of the program's own.
  static func html(_ status: Status, _ title: String, _ body: String) -> Response {
    Response.html(
      status,
      """
      <!doctype html><html lang="en"><head><meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
      <title>\(title)</title>
      <style>body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}
      button{font:inherit;padding:.5rem 1.5rem}</style></head>
      <body><h1>\(title)</h1>\(body)</body></html>
      """
    ).with(
      .contentSecurityPolicy,
      "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
  }
}

extension Schema {
  static let unsubscribed = Schema.object(
    "Unsubscribed", [.bool("success"), .text("message"), .choice("type", DigestKind.self)])
  static let availability = Schema.object("Availability", [.bool("available")])
}
