import Basics
import Crypto
import HTTP
import HTTPServer
import JSON
import Synchronization

/// The API, told by itself: for programs and for people. Both are written once, when somebody asks first.
public struct DocumentationRoutes: Sendable {
  public let routes: [Route]

  /// Of these routes and its own.
  public init(of others: [Route], version: String) {
    let undone = Pages { (Response(.ok), Response(.ok)) }
    let described = others + Self.declare(undone)
    routes = Self.declare(
      Pages {
        let operations = described.compactMap(Operation.init)
        let page = DocumentationPage(of: operations, version: version)
        return (
          Self.kept("application/json", OpenAPI.document(of: operations, version: version)),
          Self.kept(MediaType.html, Array(page.html.utf8)).with(.contentSecurityPolicy, DocumentationPage.policy)
        )
      })
  }

  private static func declare(_ pages: Pages) -> [Route] {
    [
      .immediate(.get, "/api/openapi.json", logLevel: .debug) { _ in pages.written.specification }
        .described("This API for programs: OpenAPI 3.1", gives: .one(.map(of: .any))),
      .immediate(.get, "/api/docs", logLevel: .debug) { _ in pages.written.page }
        .described("This API for people", gives: .file("text/html")),
    ]
  }

  private final class Pages: Sendable {
    private let write: @Sendable () -> (specification: Response, page: Response)
    private let kept = Mutex<(specification: Response, page: Response)?>(nil)

    init(_ write: @escaping @Sendable () -> (specification: Response, page: Response)) { self.write = write }

    var written: (specification: Response, page: Response) {
      kept.withLock { kept in
        let pages = kept ?? write()
        kept = pages
        return pages
      }
    }
  }

  /// A browser keeps it, and asks whether it is still so.
  private static func kept(_ contentType: String, _ bytes: [UInt8]) -> Response {
    Response.bytes(contentType, bytes)
      .with(.etag, "\"\(Hex.encode(SHA256.hash(bytes).prefix(8)))\"")
      .with(.cacheControl, "no-cache")
  }
}
