import Basics
import Forms
import Identity
import JSON

/// What a picture belongs to.
public enum AssetType: String, Sendable, CaseIterable {
  case site
  case unit
  case avatar
  case correctiveAction = "corrective-action"

  /// The lowest role that may add or remove one. A portrait is everybody's own business.
  var minimumRole: Role {
    switch self {
    case .site, .unit: .manager
    case .correctiveAction: .staff
    case .avatar: .inspector
    }
  }
}

/// What a new picture belongs to.
struct AssetPlace {
  let type: AssetType
  let entityId: UUID

  init(_ query: inout Query) {
    type = query.choice("assetType", of: AssetType.self) ?? .site
    entityId = query.uuid("entityId") ?? UUID(high: 0, low: 0)
    query.require("assetType", "entityId")
  }
}

/// Which pictures are asked for.
struct AssetFilter {
  let type: AssetType?
  let entityId: UUID?
  let page: Page

  init(_ query: inout Query) {
    type = query.choice("assetType", of: AssetType.self)
    entityId = query.uuid("entityId")
    page = Page(&query)
  }
}

/// A picture that is about to be stored.
struct NewAsset {
  let id: UUID
  let place: AssetPlace
  let image: ImageType
  let content: [UInt8]
  let hash: [UInt8]

  /// Nobody can guess it, and nothing of the sender's is in it.
  func key(in scope: OrganizationScope) -> String {
    "\(scope.organizationId)/\(place.type.rawValue)/\(place.entityId)/\(id).\(image.fileExtension)"
  }
}

extension Schema {
  static let asset = Schema.object(
    "Asset",
    [
      .uuid("id"), .uuid("organizationId"), .choice("assetType", AssetType.self), .uuid("entityId"), .text("key"),
      .choice("mimeType", ImageType.self), .integer("size"), .text("url").orNull, .instant("urlExpiresAt").orNull,
      .uuid("uploadedBy"), .instant("createdAt"),
    ])
}
