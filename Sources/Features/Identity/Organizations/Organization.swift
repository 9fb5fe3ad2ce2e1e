import Forms
import JSON
import PostgreSQL

public enum ComplianceMode: String, Sendable, CaseIterable {
  case standard
  case haccp
}

/// What makes an organization.
struct NewOrganization {
  /// Made from the name unless it was given.
  let slug: Slug
  let row: Value

  init(_ draft: consuming Draft) throws {
    draft.text("name", length: 1...256)
    let name = draft.fields.string("name", 1...256)
    draft.text("timezone", length: 1...100, default: "UTC")
    draft.choice("complianceMode", "compliance_mode", of: ComplianceMode.self, default: .standard)
    let given = draft.fields.optionalString("slug", 1...64)
    slug = given.flatMap { Slug($0) } ?? Slug(from: name)
    if let given, Slug(given) == nil {
      draft.fields.problem("slug", "must be lower-case letters, digits and inner hyphens")
    }
    draft.set("slug", slug.text)
    row = try draft.row()
  }
}

extension Schema {
  static let me = Schema.object(
    "Me",
    [
      .uuid("userId"), .text("email").orNull, .text("displayName").orNull, .uuid("primaryOrganizationId").orNull,
      .array("organizations", of: .object([.uuid("organizationId"), .choice("role", Role.self)])),
    ])

  static let organization = Schema.object("Organization", organizationFields)
  /// With the caller's role in it.
  static let ownOrganization = Schema.object("OwnOrganization", organizationFields + [.choice("role", Role.self)])

  private static let organizationFields: [Property] = [
    .uuid("id"), .text("name"), .text("slug"), .text("timezone"), .choice("complianceMode", ComplianceMode.self),
    .integer("sensorLimit"), .text("logoUrl").orNull, .instant("createdAt"), .instant("updatedAt"),
  ]
}
