import Basics
import Forms
import JSON

struct OrganizationSearch: Sendable {
  /// In the name or the slug.
  let text: String?
  let withDeleted: Bool
  let page: Page

  init(_ query: inout Query) {
    text = query.text("query", 1...256)
    withDeleted = query.bool("deleted")
    page = Page(&query)
  }
}

struct UserSearch: Sendable {
  let text: String?
  let page: Page

  init(_ query: inout Query) {
    text = query.text("query", 2...256)
    page = Page(&query)
  }
}

struct PlatformLogQuery: Sendable {
  let organizationId: UUID?
  let limit: Int
  /// The number of the last entry that was seen.
  let cursor: Int?

  init(_ query: inout Query) {
    organizationId = query.uuid("organizationId")
    limit = query.int("limit", in: 1...1000, default: 100)
    cursor = query.int("cursor", in: 1...1 << 53)
  }
}

extension Schema {
  static let platformStatus = Schema.object(
    "PlatformStatus",
    [
      .object("queues", [.bool("enabled"), .integer("count")]),
      .object(
        "statistics",
        [
          .integer("organizations"), .integer("users"), .integer("sites"), .integer("units"), .integer("devices"),
          .integer("readings"), .integer("openAlerts"), .instant("timestamp"),
        ]), .instant("timestamp"),
    ])

  static let queueHealth = Schema.object(
    "QueueHealth",
    [
      .bool("redisEnabled"),
      .array(
        "queues",
        of: .object([
          .text("name"), .text("error").optional,
          Schema.Property.object(
            "counts",
            [
              .integer("waiting"), .integer("active"), .integer("completed"), .integer("failed"), .integer("delayed"),
            ]
          ).optional,
        ])), .instant("timestamp"),
    ])

  static let adminOrganization = Schema.object("AdminOrganization", adminOrganizationFields)
  static let adminOrganizationUsers = Schema.object(
    "AdminOrganizationUsers",
    adminOrganizationFields + [
      .array(
        "users",
        of: .object([
          .uuid("userId"), .text("email").orNull, .text("fullName").orNull, .choice("role", Role.self),
        ]))
    ])

  private static let adminOrganizationFields: [Property] = [
    .uuid("id"), .text("name"), .text("slug"), .text("timezone"), .choice("complianceMode", ComplianceMode.self),
    .integer("sensorLimit"), .instant("createdAt"), .instant("deletedAt").orNull, .integer("userCount"),
    .integer("siteCount"), .integer("unitCount"),
  ]

  /// Not `done`: the rest is deleted in the next minutes.
  static let purged = Schema.object("Purged", [.bool("success"), .integer("deletedRows"), .bool("done")])

  static let adminUser = Schema.object(
    "AdminUser",
    [
      .uuid("userId"), .text("email"), .text("fullName").orNull, .text("phone").orNull, .uuid("organizationId"),
      .text("organizationName"), Property.choice("role", Role.self).orNull, .bool("isSuperAdmin"),
      .instant("createdAt"),
    ])

  static let platformLog = Schema.object(
    "PlatformLogEntry",
    [
      .integer("seq"), .text("action"), .instant("createdAt"), .text("actorType"), .text("actorId").orNull,
      .text("actorEmail").orNull, .text("actorName").orNull, .uuid("targetOrgId").orNull,
      .text("targetOrgName").orNull, .uuid("targetId").orNull, .any("details"), .text("ipAddress").orNull,
      .text("requestId").orNull,
    ])
}
