import HTTP
import JSON
import PostgreSQL

extension Response {
  /// Rows whose columns are named as the fields.
  public static func rows(_ rows: JSONRows) -> Response { .json(bytes: rows.bytes) }

  /// The one row that a statement found or made; 404 when there is none.
  public static func row(_ rows: Rows, _ status: Status = .ok, or what: String) throws(HTTPError) -> Response {
    guard let object = rows.json.firstObject else { throw .notFound(what) }
    return .json(status, bytes: object)
  }
}
