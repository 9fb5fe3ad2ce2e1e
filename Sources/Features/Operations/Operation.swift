import HTTP
import HTTPServer
import JSON

/// One route as the documents of the API show it.
struct Operation: Sendable {
  let method: Method
  let pattern: String
  let contract: Contract
  let parameters: [Schema.Property]

  /// Nil for a route that nobody described.
  init?(_ route: Route) {
    guard let contract = route.contract else { return nil }
    method = route.method
    pattern = route.pattern
    self.contract = contract
    parameters = route.parameterNames.map {
      Schema.Property($0, $0.hasSuffix("Id") ? .uuid : .text(1...200))
    }
  }

  /// `/api/orgs/{organizationId}/sites`
  var path: String {
    pattern.split(separator: "/", omittingEmptySubsequences: false)
      .map { $0.first == ":" ? "{\($0.dropFirst())}" : String($0) }.joined(separator: "/")
  }

  /// Unique among all: `getSitesBySiteId`.
  var id: String {
    var words = pattern.split(separator: "/").drop { $0 == "api" }
    if words.starts(with: ["orgs", ":organizationId"]), words.count > 2 { words = words.dropFirst(2) }
    return words.reduce(method.name.lowercased()) { id, word in
      let isParameter = word.first == ":"
      let parts = word.split { !$0.isLetter && !$0.isNumber }.map { $0.prefix(1).uppercased() + $0.dropFirst() }
      return id + (isParameter ? "By" : "") + parts.joined()
    }
  }

  var changes: Bool { method != .get && method != .head }

  /// The errors that a caller may get.
  var errors: [Status] {
    var errors: [Status] = [.badRequest]
    if !contract.credentials.isEmpty { errors += [.unauthorized, .forbidden] }
    if !parameters.isEmpty { errors.append(.notFound) }
    if changes { errors += [.conflict, .payloadTooLarge, .unsupportedMediaType] }
    errors += [.tooManyRequests, .internalServerError, .serviceUnavailable]
    errors += contract.answers.filter { !$0.status.isSuccess && $0.body == nil }.map(\.status)
    let answered = contract.answers.filter { $0.body != nil }.map(\.status)
    return errors.filter { !answered.contains($0) }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  /// The answers that are no errors of the usual shape.
  var answers: [Contract.Answer] { contract.answers.filter { $0.status.isSuccess || $0.body != nil } }
}

extension [Operation] {
  /// In groups by their tag, in the order in which the tags come up.
  var byTag: [(tag: String, operations: [Operation])] {
    var groups: [(tag: String, operations: [Operation])] = []
    for operation in self {
      if let place = groups.firstIndex(where: { $0.tag == operation.contract.tag }) {
        groups[place].operations.append(operation)
      } else {
        groups.append((operation.contract.tag, [operation]))
      }
    }
    return groups
  }
}
