import Basics
import Crypto
import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL
import Telemetry

/// Pictures of sites, units, people and corrective actions. They lie in an object store; who may see them gets a link
/// that works for a quarter of an hour.
public struct AssetRoutes: Sendable {
  let store: AssetStore
  /// Nil: there is none.
  let objects: ObjectStore?
  let log: Log

  /// Bytes of one picture.
  static let largest = 5 << 20
  /// Pictures of one thing.
  static let mostOfOne = 100
  /// What a form may add to it.
  private static let formOverhead = 64 << 10
  private static let linkLifetime = Duration.minutes(15)

  public init(database: Database, objects: ObjectStore?, log: Log = .none) {
    store = AssetStore(database: database)
    self.objects = objects
    self.log = log
  }

  public func routes(_ gate: Gate) -> [Route] {
    let all = "/api/orgs/:organizationId/assets"
    let one = all + "/:assetId"
    return Array(
      [
        gate.get(all, .viewer, "Pictures, newest first", asks: AssetFilter.init, gives: .list(.asset), list),
        gate.post(
          all + "/upload", .viewer, "Add a picture: as the file of a form, or as the whole body",
          asks: AssetPlace.init, takes: .bytes("multipart/form-data", upTo: Self.largest + Self.formOverhead),
          gives: .one(.asset), upload),
        gate.get(one, .viewer, "A picture", gives: .one(.asset), get),
        gate.get(one + "/content", .viewer, "To the picture itself", gives: .status(.found), content),
        gate.delete(one, .viewer, "Remove a picture", delete),
      ].joined())
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope, _ wanted: AssetFilter) async throws -> Response {
    let assets = try await store.list(wanted, scope)
    return .json { json in
      json.array { json in for asset in assets { write(asset, at: request.received, &json) } }
    }
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    guard let asset = try await store.get(try request.uuid("assetId"), scope) else { throw HTTPError.notFound("Asset") }
    return .json { json in write(asset, at: request.received, &json) }
  }

  @Sendable func content(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    guard let asset = try await store.get(try request.uuid("assetId"), scope) else { throw HTTPError.notFound("Asset") }
    guard let link = link(to: asset, at: request.received) else { throw HTTPError.notConfigured("Pictures") }
    return .redirect(to: link).with(.cacheControl, "private, max-age=600")
  }

  @Sendable func upload(
    _ request: Request, _ scope: OrganizationScope, _ place: AssetPlace, _ body: ArraySlice<UInt8>
  ) async throws -> Response {
    guard let objects else { throw HTTPError.notConfigured("Pictures") }
    try await allow(place.type, place.entityId, scope)
    let (content, image) = try Self.picture(body, contentType: request.rawHeader("content-type"))
    guard try await store.has(place, scope) else {
      throw HTTPError.validation([
        .init(path: "entityId", message: "is not a \(place.type.rawValue) of this organization")
      ])
    }
    guard try await store.count(of: place, scope) < Self.mostOfOne else {
      throw HTTPError.conflict("There are \(Self.mostOfOne) pictures of it already: remove one first")
    }
    let asset = NewAsset(
      id: .v7(at: request.received), place: place, image: image, content: content, hash: SHA256.hash(content))
    try await store.announce(asset, scope, at: request.received)
    do throws(ObjectStore.Failure) {
      try await objects.put(
        asset.content, hash: asset.hash, as: asset.key(in: scope), contentType: image.rawValue, at: request.received)
    } catch {
      log.error("the object store failed", ["request_id": .string(request.id), "error": .string("\(error)")])
      throw HTTPError.unavailable("The object store cannot take the picture now, please try again", retryAfter: 10)
    }
    guard let record = try await store.add(asset, scope, request) else { throw HTTPError.internal }
    return .json { json in write(record, at: request.received, &json) }
  }

  @Sendable func delete(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let id = try request.uuid("assetId")
    guard let asset = try await store.get(id, scope) else { throw HTTPError.notFound("Asset") }
    try await allow(asset.type, asset.entityId, scope)
    try await store.delete(id, scope, request)
    return .noContent
  }

  // MARK: - Parts

  /// Nil when there is no store to read from.
  private func link(to asset: AssetStore.Record, at now: Instant) -> String? {
    objects?.link(to: asset.key, contentType: asset.mimeType, lifetime: Self.linkLifetime, at: now)
  }

  /// An admin may also change what is not his own portrait.
  private func allow(_ type: AssetType, _ entityId: UUID, _ scope: OrganizationScope) async throws(HTTPError) {
    guard scope.role.satisfies(type.minimumRole) else {
      throw .forbidden("This needs the role \(type.minimumRole.rawValue) or higher")
    }
    if type == .avatar, entityId != scope.userId, entityId != scope.profileId, !scope.role.satisfies(.admin) {
      throw .forbidden("This is somebody else's portrait")
    }
  }

  /// The file of the form, or the whole body; and what it is.
  static func picture(
    _ body: ArraySlice<UInt8>, contentType: ArraySlice<UInt8>?
  ) throws(HTTPError) -> (content: [UInt8], type: ImageType) {
    var content = body
    if let contentType, ASCII.equalIgnoringCase(contentType.prefix(10), "multipart/".utf8) {
      guard let boundary = MultipartForm.boundary(of: contentType) else {
        throw .badRequest("The boundary of the form is missing", code: "MALFORMED_FORM")
      }
      guard let file = try MultipartForm(body, boundary: boundary).file else {
        throw .validation([.init(path: "file", message: "is required")])
      }
      content = file.content
    }
    guard content.count <= Self.largest else { throw .payloadTooLarge(limit: Self.largest) }
    guard !content.isEmpty else { throw .validation([.init(path: "file", message: "must not be empty")]) }
    guard let type = ImageType(content: content) else {
      throw .validation([.init(path: "file", message: "must be a picture: JPEG, PNG, GIF or WebP")])
    }
    return (Array(content), type)
  }

  private func write(_ asset: AssetStore.Record, at now: Instant, _ json: inout JSONWriter) {
    let link = link(to: asset, at: now)
    json.object { json in
      json.field("id", asset.id)
      json.field("organizationId", asset.organizationId)
      json.field("assetType", asset.type.rawValue)
      json.field("entityId", asset.entityId)
      json.field("key", asset.key)
      json.field("mimeType", asset.mimeType)
      json.field("size", asset.size)
      json.field("url", link)
      json.field("urlExpiresAt", link.map { _ in now + Self.linkLifetime })
      json.field("uploadedBy", asset.uploadedBy)
      json.field("createdAt", asset.createdAt)
    }
  }
}
