import Basics
import ColdChain
import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

/// What units are judged by, said for a unit, a site or the organization.
public struct AlertRuleRoutes: Sendable {
  let store: AlertRuleStore

  public init(database: Database) { store = AlertRuleStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    let all = "/api/orgs/:organizationId/alert-rules"
    let one = all + "/:ruleId"
    return Array(
      [
        gate.get(
          all, .viewer, "Rules of the organization, its sites and its units", asks: RuleFilter.init,
          gives: .list(.alertRule), list),
        gate.post(
          all, .admin, "Create the rule of a place, or change the one it has", takes: .change(RuleDraft.init),
          gives: .created(.alertRule).or(.one(.alertRule)), set),
        gate.put(
          all, .admin, "Change the rule of a place, or create it", takes: .change(RuleDraft.init),
          gives: .one(.alertRule).or(.created(.alertRule)), set),
        gate.get(
          all + "/history", .viewer, "Changes of rules, newest first", asks: RuleHistoryFilter.init,
          gives: .list(.alertRuleChange), history),
        gate.get(one, .viewer, "A rule", gives: .one(.alertRule), get),
        gate.put(one, .admin, "Change a rule", takes: .change(RuleDraft.row), gives: .one(.alertRule), update),
        gate.delete(one, .admin, "Delete a rule", delete),
        gate.delete(
          one + "/fields/:field", .admin, "Leave a field to the rules further out", gives: .one(.alertRule), clear),
        gate.get(
          one + "/history", .viewer, "Changes of a rule, newest first", asks: RuleHistoryFilter.init,
          gives: .list(.alertRuleChange), historyOfOne),
        gate.get(
          "/api/orgs/:organizationId/units/:unitId/effective-rules", .viewer,
          "What a unit is judged by, and where each value comes from", asks: TemperatureUnit.asked,
          gives: .one(.effectiveRules), effective),
      ].joined())
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope, _ wanted: RuleFilter) async throws -> Response {
    .rows(try await store.list(wanted, scope).json)
  }

  @Sendable func set(_ request: Request, _ scope: OrganizationScope, _ draft: RuleDraft) async throws -> Response {
    try await checked {
      let (rows, isNew) = try await store.set(draft, scope, request)
      return try .row(rows, isNew ? .created : .ok, or: "Rule")
    }
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(try request.uuid("ruleId"), scope), or: "Rule")
  }

  @Sendable func update(_ request: Request, _ scope: OrganizationScope, _ row: Value) async throws -> Response {
    let id = try request.uuid("ruleId")
    return try await checked { try .row(await store.change(id, row, scope, request), or: "Rule") }
  }

  @Sendable func delete(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let id = try request.uuid("ruleId")
    return try await checked {
      guard try await store.delete(id, scope, request) else { throw HTTPError.notFound("Rule") }
      return .noContent
    }
  }

  @Sendable func clear(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let id = try request.uuid("ruleId")
    guard let field = RuleField(name: request.parameter("field")) else { throw HTTPError.notFound("Field of a rule") }
    return try await checked { try .row(await store.clear(field, of: id, scope, request), or: "Rule") }
  }

  @Sendable func effective(_ request: Request, _ scope: OrganizationScope, _ unit: Value) async throws -> Response {
    try .row(await store.effective(of: try request.uuid("unitId"), shownIn: unit, scope), or: "Unit")
  }

  @Sendable func history(
    _ request: Request, _ scope: OrganizationScope, _ wanted: RuleHistoryFilter
  ) async throws -> Response {
    .rows(try await store.history(of: nil, wanted, scope).json)
  }

  @Sendable func historyOfOne(
    _ request: Request, _ scope: OrganizationScope, _ wanted: RuleHistoryFilter
  ) async throws -> Response {
    let id = try request.uuid("ruleId")
    guard try await store.knows(id, scope) else { throw HTTPError.notFound("Rule") }
    return .rows(try await store.history(of: id, wanted, scope).json)
  }

  /// The rule of a place that two make at once is made by one of them.
  private func checked<R>(_ body: () async throws -> R) async throws -> R {
    do { return try await refusing(RuleDraft.refusals, body) } catch let error as DatabaseError {
      if error.violated == "alert_rules_place" { throw HTTPError.conflict("This place has a rule already") }
      throw error
    }
  }
}
