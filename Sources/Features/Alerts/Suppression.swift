import Basics
import Forms
import JSON
import PostgreSQL

public enum SuppressionKind: String, Sendable, CaseIterable {
  case maintenance
  case defrost
  case cleaning
}

enum Weekday: String, Sendable, CaseIterable {
  case monday, tuesday, wednesday, thursday, friday, saturday, sunday

  /// ISO 8601: Monday is 1.
  var number: Int { (Self.allCases.firstIndex(of: self) ?? 0) + 1 }
}

/// What a body says of a window: the row, and where it holds.
struct SuppressionDraft: Sendable {
  let siteId: UUID?
  let unitId: UUID?
  let row: Value

  init(_ draft: consuming Draft) throws {
    siteId = draft.fields.optionalUUID("siteId")
    unitId = draft.fields.optionalUUID("unitId")
    if siteId != nil, unitId != nil { draft.fields.problem("siteId", "does not go with unitId") }
    row = try Self.row(draft)
  }

  /// Once, from `startsAt` (now) to `endsAt` (`durationMinutes`, else an hour, later); or on `weekdays` at `localStart`
  /// for `durationMinutes`.
  static func row(_ draft: consuming Draft) throws -> Value {
    draft.choice("kind", of: SuppressionKind.self)
    draft.text("reason", length: 1...500)
    let types = draft.fields.optionalChoices("alertTypes", count: 0...AlertType.allCases.count, of: AlertType.self)
    if draft.sets("alertTypes") || draft.purpose == .create {
      draft.set("alert_types", "{\((types ?? []).map(\.rawValue).joined(separator: ","))}")
    }
    draft.instant("startsAt", "starts_at")
    draft.instant("endsAt", "ends_at")
    let days = draft.fields.optionalChoices("weekdays", count: 1...7, of: Weekday.self)
    if draft.sets("weekdays") {
      let numbers = days.map { days in Set(days.map(\.number)).sorted().map(String.init).joined(separator: ",") }
      draft.set("weekdays", numbers.map { "{\($0)}" })
    }
    draft.text("localStart", "local_start", must: "a time of day such as 02:30", Self.timeOfDay)
    draft.optionalInteger("durationMinutes", "duration_minutes", in: 1...720)
    draft.text("firstDay", "first_day", must: "a day such as 2026-11-01", Self.day)
    draft.text("lastDay", "last_day", must: "a day such as 2026-11-01", Self.day)
    return try draft.row()
  }

  private static func timeOfDay(_ text: String) -> String? {
    text.utf8.count == 5 && Instant(rfc3339: "2000-01-01T\(text):00Z") != nil ? text : nil
  }

  private static func day(_ text: String) -> String? {
    text.utf8.count == 10 && Instant(rfc3339: "\(text)T00:00:00Z") != nil ? text : nil
  }

  /// What only the row as a whole can show to be wrong.
  static let refusals = [
    "suppressions_once_or_recurring": InvalidFields(
      "weekdays", "localStart and durationMinutes go together, and not with startsAt and endsAt"),
    "suppressions_in_order": InvalidFields("endsAt", "must be after startsAt"),
    "suppressions_at_most_31_days": InvalidFields("endsAt", "must be at most 31 days after startsAt"),
    "suppressions_days_in_order": InvalidFields("lastDay", "must not be before firstDay"),
  ]
}

extension Draft {
  fileprivate mutating func instant(_ name: String, _ column: String) {
    let instant = fields.optionalInstant(name)
    if sets(name) { set(column, instant?.rfc3339) }
  }

  fileprivate mutating func text(
    _ name: String, _ column: String, must what: String, _ parse: (String) -> String?
  ) {
    let text = fields.optionalString(name, 1...32)
    guard sets(name) else { return }
    let value = text.flatMap(parse)
    if let text, value == nil, !text.isEmpty, !fields.isDescribing { fields.problem(name, "must be \(what)") }
    set(column, value)
  }
}

/// Which windows are asked for.
struct SuppressionFilter: Sendable {
  let siteId: UUID?
  let unitId: UUID?

  init(_ query: inout Query) {
    siteId = query.uuid("siteId")
    unitId = query.uuid("unitId")
  }
}

/// The span in which windows of a unit are asked for; by default the week from now on.
struct WindowSpan: Sendable {
  let start: Instant?
  let end: Instant?

  init(_ query: inout Query) {
    start = query.instant("start")
    end = query.instant("end")
    if let start, let end, !(start..<start + .days(366)).contains(end) {
      query.problem("end", "must be at most 366 days after start")
    }
  }
}

extension Schema {
  /// Once (`startsAt`, `endsAt`) or recurring: on `weekdays` at `localStart` of the site, for `durationMinutes`.
  /// `alertTypes` empty: all.
  static let suppression = Schema.object(
    "Suppression",
    [
      .uuid("id"), .uuid("organizationId"), .uuid("siteId").orNull, .uuid("unitId").orNull,
      .choice("kind", SuppressionKind.self), .text("reason"), .array("alertTypes", of: .choice(AlertType.self)),
      .instant("startsAt").orNull, .instant("endsAt").orNull,
      Property("weekdays", Schema.array(of: .choice(Weekday.self)).orNull), .text("localStart").orNull,
      .integer("durationMinutes").orNull, .text("firstDay").orNull, .text("lastDay").orNull, .uuid("createdBy").orNull,
      .instant("createdAt"), .instant("updatedAt"),
    ])

  static let suppressionWindow = Schema.object(
    "SuppressionWindow",
    [
      .uuid("suppressionId"), .choice("kind", SuppressionKind.self), .text("reason"),
      .array("alertTypes", of: .choice(AlertType.self)), .instant("startsAt"), .instant("endsAt"),
    ])
}
