import Basics
import HTTP
import JSON
import PostgreSQL

/// The append-only log of who did what: one chain of hashes for each organization.
///
/// A statement that changes something appends in the same breath: it takes ``author(_:_:)`` as a parameter and calls
/// `append_event_log(organization, author, event, entity type, entity id, before, after)` on what it changed.
public enum Audit {
  /// Who acts, and for which request.
  public static func author(_ scope: OrganizationScope, _ request: Request) -> Value {
    author(scope.actor, request)
  }

  /// For what somebody does outside of an organization that they are in.
  static func author(_ principal: Principal, _ request: Request) -> Value { author(.user(principal.userId), request) }

  private static func author(_ actor: Actor, _ request: Request) -> Value {
    author(
      actor, at: request.received, requestId: request.id, address: "\(request.peer)",
      agent: request.rawHeader("User-Agent").map { String(decoding: $0.prefix(256), as: UTF8.self) })
  }

  /// For what the server does by itself.
  public static func system(at now: Instant) -> Value { author(.system, at: now, requestId: nil, address: nil) }

  private static func author(
    _ actor: Actor, at now: Instant, requestId: String?, address: String?, agent: String? = nil
  ) -> Value {
    .json(
      JSONWriter.bytes { json in
        json.object { json in
          json.field("at", now.microseconds)
          json.field("type", actor.type)
          json.field("id", actor.id)
          json.field("request", requestId)
          json.field("ip", address)
          if let agent { json.field("agent", agent) }
        }
      })
  }

  /// Appends one entry in the caller's transaction, and holds the end of the organization's chain until it ends.
  /// `before` and `after` are JSON or null.
  public static func append(
    on connection: Connection, organizationId: UUID, author: Value, event: String, entity: String, id: UUID?,
    before: Value = .null, after: Value = .null
  ) async throws {
    _ = try await connection.query(
      "SELECT append_event_log($1, $2, $3, $4, $5, $6, $7)",
      [.uuid(organizationId), author, .text(event), .text(entity), .optional(id), before, after])
  }

  /// The number of the first entry at which the chain breaks; nil when it is whole.
  public static func firstBroken(in scope: OrganizationScope, database: Database) async throws -> Int64? {
    try await database.query("SELECT first_broken_event_log($1)", [.uuid(scope.organizationId)]).first?.optionalInt(0)
  }
}
