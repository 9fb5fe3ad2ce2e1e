import Basics
import Crypto
import HTTP
import HTTPClient
import JSON

/// What the operator has agreed with Stripe.
public struct StripeConfiguration: Sendable {
  /// Without a slash at its end.
  public var baseURL: String
  public var secretKey: String?
  public var webhookSecret: String?
  public var prices: [Plan: String]
  /// Where people come back to, without a slash at its end: `https://app.example.com`.
  public var frontend: String?
  /// Further origins that a checkout may lead back to.
  public var otherOrigins: [String] = []

  public init(
    baseURL: String = "https://api.stripe.com", secretKey: String? = nil, webhookSecret: String? = nil,
    prices: [Plan: String] = [:], frontend: String? = nil, otherOrigins: [String] = []
  ) {
    self.baseURL = Self.bare(baseURL)
    self.secretKey = secretKey
    self.webhookSecret = webhookSecret
    self.prices = prices
    self.frontend = frontend.map(Self.bare)
    self.otherOrigins = otherOrigins.map(Self.bare)
  }

  private static func bare(_ url: String) -> String { url.last == "/" ? String(url.dropLast()) : url }

  /// The page that people come back to when they do not say which.
  var billingPage: String? { frontend.map { $0 + "/settings/billing" } }

  func plan(ofPrice id: String) -> Plan? { prices.first { $0.value == id }?.key }

  /// A page of ours: nobody is sent from the till to somewhere else.
  func isOurs(_ url: String) -> Bool {
    guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x5C }) else { return false }
    return ([frontend].compactMap(\.self) + otherOrigins).contains { origin in
      url == origin || ["/", "?", "#"].contains { url.hasPrefix(origin + $0) }
    }
  }
}

/// Stripe's API, as far as a shop without a shop window needs it.
struct Stripe: Sendable {
  private let client: HTTPClient
  private let baseURL: String
  private let secretKey: String

  init?(_ configuration: StripeConfiguration, client: HTTPClient) {
    guard let secretKey = configuration.secretKey else { return nil }
    self.client = client
    self.secretKey = secretKey
    baseURL = configuration.baseURL
  }

  enum Failure: Error, Hashable {
    case unreachable(HTTPClientError)
    /// Stripe's status and its own words for programs; its sentence may quote the request.
    case refused(status: Int, type: String?, code: String?)
    /// The answer is not what was asked for.
    case unreadable
  }

  struct CheckoutSession: Sendable {
    let id: String
    let url: String
  }

  func checkout(_ form: [(String, String)], idempotencyKey: String) async throws(Failure) -> CheckoutSession {
    let answer = try await post("/v1/checkout/sessions", form, idempotencyKey)
    guard let id = answer["id"]?.string, let url = answer["url"]?.string else { throw .unreadable }
    return CheckoutSession(id: id, url: url)
  }

  func portal(customerId: String, returnURL: String, idempotencyKey: String) async throws(Failure) -> String {
    let form = [("customer", customerId), ("return_url", returnURL)]
    let answer = try await post("/v1/billing_portal/sessions", form, idempotencyKey)
    guard let url = answer["url"]?.string else { throw .unreadable }
    return url
  }

  /// The same request with the same key has one effect, so it may be sent twice when an answer got lost.
  private func post(
    _ path: String, _ form: [(String, String)], _ idempotencyKey: String
  ) async throws(Failure) -> JSONValue {
    let body = form.map { "\(PercentEncoding.encode($0.0))=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
    let request = HTTPClientRequest(
      .post, baseURL + path,
      headers: [
        ("Authorization", "Bearer \(secretKey)"), ("Content-Type", "application/x-www-form-urlencoded"),
        ("Idempotency-Key", idempotencyKey), ("Stripe-Version", Self.version),
      ], body: Array(body.utf8), timeout: .seconds(12), connectTimeout: .seconds(3))
    let answer: HTTPClientResponse
    do throws(HTTPClientError) {
      answer = try await sendTwice(request)
    } catch { throw .unreachable(error) }
    let document = try? JSONDocument(answer.body).root
    guard answer.isSuccess else {
      throw .refused(
        status: answer.status, type: document?["error"]?["type"]?.string, code: document?["error"]?["code"]?.string)
    }
    guard let document else { throw .unreadable }
    return document
  }

  private func sendTwice(_ request: HTTPClientRequest) async throws(HTTPClientError) -> HTTPClientResponse {
    do throws(HTTPClientError) { return try await client.send(request) } catch {
      guard error == .connectionLost || error == .unreachable else { throw error }
      return try await client.send(request)
    }
  }

  /// The shape of answers stays the same whatever the account is set to.
  private static let version = "2025-03-31.basil"
}
