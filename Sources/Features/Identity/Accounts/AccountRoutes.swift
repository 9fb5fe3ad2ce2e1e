import Basics
import Forms
import HTTP
import HTTPServer
import JSON
import PostgreSQL

/// What a person has set for themself: name, reachability, digests.
public struct AccountRoutes: Sendable {
  let store: AccountStore

  public init(database: Database) { store = AccountStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    let me = "/api/users/me"
    let digest = "/api/preferences/digest"
    return Array(
      [
        gate.user(.get, me, "My profile", gives: .one(.profile), profile),
        gate.user(.patch, me, "Change my profile", takes: .change(profileRow), gives: .one(.profile), update),
        gate.user(.put, me, "Change my profile", takes: .change(profileRow), gives: .one(.profile), update),
        gate.user(.get, digest, "Which digests I get", gives: .one(.digest), getDigest),
        gate.user(
          .patch, digest, "Change which digests I get", takes: .change(DigestChange.init), gives: .one(.digest),
          updateDigest),
        gate.user(.post, digest + "/disable-all", "No digests any more", gives: .one(.digestsEnded), disableAll),
      ].joined())
  }

  // MARK: - Profile

  @Sendable func profile(_ request: Request, _ principal: Principal) async throws -> Response {
    try .row(await store.profile(principal), or: "Profile")
  }

  private func profileRow(_ draft: consuming Draft) throws -> Value {
    draft.text("fullName", "full_name", length: 1...256)
    draft.optionalText("phone", "phone", length: 1...32, must: "7 to 15 digits, perhaps behind a +") {
      PhoneNumber($0)?.text
    }
    draft.optionalText("avatarUrl", "avatar_url", length: 1...2048, must: "a URL that starts with https://") {
      $0.hasPrefix("https://") ? $0 : nil
    }
    let wanted = draft.fields.optionalObject("notificationPreferences") {
      (push: $0.optionalBool("push"), email: $0.optionalBool("email"), sms: $0.optionalBool("sms"))
    }
    for (column, value) in [
      ("push_enabled", wanted?.push), ("email_enabled", wanted?.email), ("sms_enabled", wanted?.sms),
    ] {
      if let value { draft.set(column, "\(value)") }
    }
    return try draft.row()
  }

  @Sendable func update(_ request: Request, _ principal: Principal, _ row: Value) async throws -> Response {
    try .row(await store.update(row, principal, request), or: "Profile")
  }

  // MARK: - Digests

  @Sendable func getDigest(_ request: Request, _ principal: Principal) async throws -> Response {
    try .row(await store.digest(principal.userId), or: "Preferences")
  }

  @Sendable func updateDigest(
    _ request: Request, _ principal: Principal, _ change: DigestChange
  ) async throws -> Response {
    if let sites = change.sites, try await store.visible(sites, to: principal) < Set(sites).count {
      throw InvalidFields("digestSiteIds", "must be sites of your organizations")
    }
    return try await refusing(unknownTimeZone) {
      try .row(await store.updateDigest(change.row, principal, request), or: "Preferences")
    }
  }

  @Sendable func disableAll(_ request: Request, _ principal: Principal) async throws -> Response {
    try await store.unsubscribe(
      Unsubscription(userId: principal.userId, kind: .all), author: Audit.author(principal, request))
    return .json { json in
      json.object { json in
        json.field("success", true)
        json.field("message", "You get no digests any more")
      }
    }
  }
}

/// What is to change of the digests.
struct DigestChange: Sendable {
  /// Those that are to be in it; nil when that stays.
  let sites: [UUID]?
  let row: Value

  init(_ draft: consuming Draft) throws {
    draft.bool("digestDaily", "digest_daily", default: false)
    draft.bool("digestWeekly", "digest_weekly", default: false)
    draft.text("digestDailyTime", "digest_daily_time", length: 1...5, must: "a time of day such as 09:00") {
      Self.isTimeOfDay($0) ? $0 : nil
    }
    sites = draft.optionalUUIDs("digestSiteIds", "digest_site_ids", count: 0...1000)
    draft.text("timezone", length: 1...64)
    row = try draft.row()
  }

  /// `00:00` to `23:59`.
  private static func isTimeOfDay(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard bytes.count == 5, bytes[2] == UInt8(ascii: ":"), let hour = ASCII.unsigned(bytes[..<2]),
      let minute = ASCII.unsigned(bytes[3...])
    else { return false }
    return hour < 24 && minute < 60
  }
}

extension Schema {
  static let profile = Schema.object(
    "Profile",
    [
      .uuid("userId"), .text("email").orNull, .text("fullName").orNull, .text("phone").orNull,
      .text("avatarUrl").orNull, .object("notificationPreferences", [.bool("push"), .bool("email"), .bool("sms")]),
      .bool("isSuperAdmin"), .instant("updatedAt").orNull,
    ])

  /// `digestSiteIds` null: every site.
  static let digest = Schema.object(
    "Digest",
    [
      .bool("digestDaily"), .bool("digestWeekly"), .text("digestDailyTime"),
      .array("digestSiteIds", of: .uuid).orNull, .text("timezone"), .bool("emailEnabled"),
    ])

  static let digestsEnded = Schema.object("DigestsEnded", [.bool("success"), .text("message")])
}
