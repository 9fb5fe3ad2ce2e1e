import Basics
import Identity
import JSON
import PostgreSQL

extension Command {
  static let adminGrant = Command(
    name: "admin grant", summary: "make a user a super admin of the platform",
    details: "A super admin sees and deletes organizations; it gives no membership in any.",
    options: [
      .value("--user", "ID", "the user's UUID, or the subject of their tokens", required: true),
      .flag("--revoke", "take it from them instead"),
      .flag("--json", "as JSON: userId, isSuperAdmin, changed"),
    ],
    run: { arguments in
      let subject = try arguments.required("--user")
      guard let user = Principal.userId(subject: subject) else { throw Failure.usage("--user is missing") }
      let grants = !arguments.has("--revoke")
      let now = WallClock.system.now()
      let changed = try onDatabase { database in
        try await Operator(database: database).setSuperAdmin(user, to: grants, now: now)
      }
      guard arguments.has("--json") else {
        let state = grants ? "a super admin" : "no super admin"
        return Terminal.say(changed ? "\(user) is \(state) now" : "\(user) is \(state) already")
      }
      sayJSON { json in
        json.field("userId", user)
        json.field("isSuperAdmin", grants)
        json.field("changed", changed)
      }
    })

  static let signingKeyRotate = Command(
    name: "signing-key rotate", summary: "sign tokens with a new key from now on (AUTH_MODE=local)",
    options: [
      .value("--overlap", "TIME", "how long tokens of the old key are still believed: 15m, 12h, 30d (default 24h)"),
      .flag("--json", "as JSON: kid"),
    ],
    run: { arguments in
      let overlap = try arguments.duration("--overlap") ?? .hours(24)
      let kid = try onDatabase { database in try await LocalIssuer(database: database).rotate(overlap: overlap) }
      guard arguments.has("--json") else { return Terminal.say("tokens are signed with the key \(kid) now") }
      sayJSON { $0.field("kid", kid) }
    })
}
