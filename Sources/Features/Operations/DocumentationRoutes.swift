import Basics
import Crypto
import HTTP
import HTTPServer
import JSON

/// The API, told by itself: for programs and for people. Both are written once.
public struct DocumentationRoutes: Sendable {
  public let routes: [Route]

  /// Of these routes and its own.
  public init(of others: [Route], version: String) {
    let own = Self.declare(specification: Response(.ok), page: Response(.ok))
    let operations = (others + own).compactMap(Operation.init)
    let page = DocumentationPage(of: operations, version: version)
    routes = Self.declare(
      specification: Self.kept("application/json", OpenAPI.document(of: operations, version: version)),
      page: Self.kept(MediaType.html, Array(page.html.utf8)).with(.contentSecurityPolicy, DocumentationPage.policy))
  }

  private static func declare(specification: Response, page: Response) -> [Route] {
    [
      .immediate(.get, "/api/openapi.json", logLevel: .debug) { _ in specification }
        .described("This API for programs: OpenAPI 3.1", gives: .one(.map(of: .any))),
      .immediate(.get, "/api/docs", logLevel: .debug) { _ in page }
        .described("This API for people", gives: .file("text/html")),
    ]
  }

  /// A browser keeps it, and asks whether it is still so.
  private static func kept(_ contentType: String, _ bytes: [UInt8]) -> Response {
    Response.bytes(contentType, bytes)
      .with(.etag, "\"\(Hex.encode(SHA256.hash(bytes).prefix(8)))\"")
      .with(.cacheControl, "no-cache")
  }
}
