import Basics
import HTTP
import HTTPClient
import JSON
import Synchronization

/// Why The Things Stack did not do what it was asked.
public enum StackError: Error, Equatable {
  /// It answered, and refused. `message` is its own, without what is for its programmers.
  case refused(status: Int, message: String)
  /// It wants to be asked again later.
  case rateLimited(retryAfter: Duration)
  /// There was no answer, or none that can be read.
  case unreachable(String)

  var isNotFound: Bool { if case .refused(404, _) = self { true } else { false } }

  /// The same request may succeed later.
  var isTransient: Bool {
    switch self {
    case .refused(let status, _): status >= 500 || status == 408
    case .rateLimited, .unreachable: true
    }
  }

  var message: String {
    switch self {
    case .refused(let status, let message): message.isEmpty ? "The Things Stack answered \(status)" : message
    case .rateLimited: "The Things Stack asks to wait"
    case .unreachable(let why): "The Things Stack does not answer (\(why))"
    }
  }
}

/// What stopped a job: one connection's failure at The Things Stack is its own, a failure of our database is everybody's.
enum JobFailure: Error {
  case stack(StackError)
  case store(any Error)

  static func asking<R>(_ body: () async throws(StackError) -> R) async throws(JobFailure) -> R {
    do throws(StackError) { return try await body() } catch { throw .stack(error) }
  }

  static func storing<R>(_ body: () async throws -> R) async throws(JobFailure) -> R {
    do { return try await body() } catch { throw .store(error) }
  }
}

/// Speaks the HTTP API of The Things Stack 3 for one application (its API reference, "HTTP Routes").
///
/// Nothing that it throws or notes holds the API key or a body: they may hold secrets.
struct StackClient: Sendable {
  let http: HTTPClient
  /// `https://nam1.cloud.thethings.network`, without a slash at the end.
  let base: String
  /// The name by which the servers of the cluster know each other.
  let host: String
  let application: String
  let key: String

  struct Answer: Sendable {
    let body: JSONValue
    let headers: [(name: String, value: String)]

    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
  }

  /// A page of a list of 100 devices takes about 60 KB.
  private static let answerLimit = 4 << 20

  /// `path` follows `/api/v3` and is encoded already. A body is written by `write`; no body without it.
  func call(
    _ method: HTTPClientRequest.Method, _ path: String, query: [(String, String)] = [],
    timeout: Duration = .seconds(6), _ write: ((inout JSONWriter) -> Void)? = nil
  ) async throws(StackError) -> Answer {
    let body = write.map { write in JSONWriter.bytes { $0.object(write) } } ?? []
    let request = HTTPClientRequest(
      method, url(path, query),
      headers: headers(accept: "application/json") + (body.isEmpty ? [] : [("Content-Type", "application/json")]),
      body: body, timeout: timeout, connectTimeout: .seconds(3), responseLimit: Self.answerLimit)
    let response: HTTPClientResponse
    do throws(HTTPClientError) { response = try await http.send(request) } catch {
      throw .unreachable(Self.word(error))
    }
    return try Self.read(response)
  }

  /// The lines of a streamed answer (newline-delimited JSON): all that came, also when the stream was cut.
  struct Lines: Sendable {
    let lines: [[UInt8]]
    /// The answer came to its end.
    let isWhole: Bool
    let headers: [(name: String, value: String)]
  }

  func stream(
    _ path: String, query: [(String, String)], limit: Int, timeout: Duration
  ) async throws(StackError) -> Lines {
    let request = HTTPClientRequest(
      .get, url(path, query), headers: headers(accept: "text/event-stream"), timeout: timeout,
      connectTimeout: .seconds(3), responseLimit: limit)
    let received = Received()
    let head: HTTPClientResponse
    do throws(HTTPClientError) {
      head = try await http.stream(request) { bytes in
        received.bytes.withLock { $0 += bytes }
        return true
      }
    } catch {
      let lines = Self.lines(received.bytes.withLock { $0 }, isWhole: false, [])
      // Cut before its first line: nothing to go on with.
      if lines.lines.isEmpty { throw .unreachable(Self.word(error)) }
      return lines
    }
    let bytes = received.bytes.withLock { $0 }
    guard head.isSuccess else { throw Self.error(head.status, bytes, head.headers) }
    return Self.lines(bytes, isWhole: true, head.headers)
  }

  private final class Received: Sendable {
    let bytes = Mutex<[UInt8]>([])
  }

  /// The last line of a stream that was cut may be half of one.
  private static func lines(
    _ bytes: [UInt8], isWhole: Bool, _ headers: [(name: String, value: String)]
  ) -> Lines {
    let newline = UInt8(ascii: "\n")
    let end = isWhole ? bytes.count : (bytes.lastIndex(of: newline) ?? 0)
    let lines = bytes[..<end].split(separator: newline).map { Array($0) }.filter { !$0.allSatisfy { $0 <= 0x20 } }
    return Lines(lines: lines, isWhole: isWhole, headers: headers)
  }

  // MARK: - Requests

  private func url(_ path: String, _ query: [(String, String)]) -> String {
    let parameters = query.map { "\($0)=\(PercentEncoding.encode($1))" }.joined(separator: "&")
    return base + "/api/v3" + path + (parameters.isEmpty ? "" : "?" + parameters)
  }

  private func headers(accept: String) -> [(name: String, value: String)] {
    [("Authorization", "Bearer \(key)"), ("Accept", accept)]
  }

  // MARK: - Answers

  private static func read(_ response: HTTPClientResponse) throws(StackError) -> Answer {
    guard response.isSuccess else { throw error(response.status, response.body, response.headers) }
    let text = response.body.isEmpty ? Array("{}".utf8) : response.body
    guard let document = try? JSONDocument(text, limits: JSONLimits(allowsDuplicateKeys: true)) else {
      throw .unreachable("its answer is not JSON")
    }
    return Answer(body: document.root, headers: response.headers)
  }

  private static func error(
    _ status: Int, _ body: [UInt8], _ headers: [(name: String, value: String)]
  ) -> StackError {
    if status == 429 {
      // `X-Rate-Limit-Retry`: "Rate Limiting" in the reference of The Things Stack.
      let wait = ["x-rate-limit-retry", "retry-after"].compactMap { name in
        headers.first { $0.name == name }.flatMap { ASCII.unsigned($0.value.utf8) }
      }.first
      return .rateLimited(retryAfter: .seconds(min(max(wait ?? 30, 1), 3600)))
    }
    return .refused(status: status, message: message(of: body))
  }

  /// `error:pkg/identityserver:end_device_euis_taken (an end device with ... exists)`: what stands in the brackets is for people.
  private static func message(of body: [UInt8]) -> String {
    guard let text = (try? JSONDocument(body))?.root["message"]?.string else { return "" }
    let inner = text.firstIndex(of: "(").flatMap { start in
      text.hasSuffix(")") ? text[text.index(after: start)...].dropLast() : nil
    }
    return String(String.UnicodeScalarView(String(inner ?? text[...]).unicodeScalars.prefix(300).filter { $0 != "\0" }))
  }

  private static func word(_ error: HTTPClientError) -> String {
    switch error {
    case .invalidRequest: "the request cannot be sent"
    case .unresolvedHost: "its name is not known"
    case .unreachable: "no connection"
    case .privateAddress: "its address is inside our own network"
    case .untrusted: "its certificate is not valid"
    case .timeout: "too slow"
    case .connectionLost: "the connection broke"
    case .tooLarge: "its answer is too large"
    case .tooManyRedirects: "it redirects"
    case .cancelled: "cancelled"
    case .failed(let code): "error \(code) of libcurl"
    }
  }
}

extension JSONWriter {
  /// `"field_mask":{"paths":[...]}`: which fields of the message count.
  mutating func fieldMask(_ paths: [String]) {
    object("field_mask") { json in
      json.array("paths") { json in for path in paths { json.string(path) } }
    }
  }
}
