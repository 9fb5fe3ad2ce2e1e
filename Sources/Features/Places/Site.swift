import Identity
import JSON

extension Schema {
  static let site = Schema.object(
    "Site",
    [
      .uuid("id"), .uuid("organizationId"), .text("name"), .text("address").orNull, .text("city").orNull,
      .text("state").orNull, .text("postalCode").orNull, .text("country").orNull, .text("timezone"),
      .choice("complianceMode", ComplianceMode.self).orNull, .integer("manualLogCadenceSeconds").orNull,
      .bool("correctiveActionRequired").orNull, .number("latitude").orNull, .number("longitude").orNull,
      .bool("isActive"), .integer("areasCount"), .integer("unitsCount"), .instant("createdAt"), .instant("updatedAt"),
      .instant("deletedAt").optional,
    ])

  static let area = Schema.object(
    "Area",
    [
      .uuid("id"), .uuid("siteId"), .text("name"), .text("description").orNull, .integer("sortOrder"),
      .bool("isActive"), .integer("unitsCount"), .instant("createdAt"), .instant("updatedAt"),
      .instant("deletedAt").optional,
    ])
}
