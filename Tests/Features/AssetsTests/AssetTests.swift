import Basics
import FeatureSupport
import HTTP
import HTTPClient
import Identity
import JSON
import PostgreSQL
import Testing

@testable import Assets

private let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + Array("a picture".utf8)

private struct Scene: Sendable {
  let store: FakeStore
  let house: House
  let organization: House.Organization

  init(_ objects: (FakeStore) -> ObjectStore? = { $0.client() }) async throws {
    let store = try FakeStore()
    let client = objects(store)
    self.store = store
    house = try await House(providers: .only { $0.objects = client })
    organization = try await house.organization()
  }

  var path: String { organization.path + "/assets" }

  func upload(
    _ content: [UInt8] = png, of type: String = "unit", _ entity: UUID? = nil, as user: House.User? = nil,
    contentType: String = "image/png"
  ) async throws -> Answer {
    try await house.send(
      .post, path + "/upload?assetType=\(type)&entityId=\(entity ?? organization.unit)", as: user ?? organization.owner,
      content, contentType: contentType)
  }

  func uploadForm(_ content: [UInt8], field: String = #"name="file"; filename="..\\..\\fridge.svg""#) async throws
    -> Answer
  {
    let head = "--XYZ\r\nContent-Disposition: form-data; \(field)\r\nContent-Type: image/svg+xml\r\n\r\n"
    return try await upload(
      Array(head.utf8) + content + Array("\r\n--XYZ--\r\n".utf8), contentType: "multipart/form-data; boundary=XYZ")
  }

  func sweep(at now: Instant) async throws {
    let objects = store.client()
    try await house.run { try await ObjectRemovalJob(database: $0, objects: objects, log: .none).run(at: now) }
  }

  /// What the link in an answer leads to.
  func follow(_ url: String?) async throws -> HTTPClientResponse {
    let url = try #require(url)
    return try await house.run { _ in try await HTTPClient().send(HTTPClientRequest(.get, url)) }
  }
}

@Suite(.serialized) struct AssetTests {
  @Test func `what is removed goes from the store too, when the store lets it`() async throws {
    let scene = try await Scene()
    let now = WallClock.system.now() + .seconds(1)
    var paths: [String] = []
    for _ in 0..<3 {
      let id = try #require(try await scene.upload().json["id"]?.string)
      paths.append(scene.path + "/\(id)")
    }
    for path in paths.dropLast() {
      #expect(try await scene.house.call(.delete, path, as: scene.organization.owner).status == 204)
    }
    #expect(scene.store.objects.count == 3)
    scene.store.refuse(1)
    try await scene.sweep(at: now)
    #expect(scene.store.objects.count == 3)
    try await scene.sweep(at: now + .minutes(1))
    #expect(scene.store.objects.count == 3, "not before it is due again")
    try await scene.sweep(at: now + .minutes(11))
    #expect(scene.store.objects.count == 1)
    #expect(try await scene.house.sql("SELECT FROM object_removals").isEmpty)
    #expect(try await scene.house.call(.get, paths[2], as: scene.organization.owner).status == 200)
  }

  @Test func `what was stored and never written down is removed`() async throws {
    let scene = try await Scene()
    let made = try await scene.upload()
    #expect(made.status == 200)
    // As if the server had died between the two.
    try await scene.house.sql("DELETE FROM assets")
    try await scene.house.sql("UPDATE object_removals SET due_at = now() + interval '1 hour'")
    try await scene.sweep(at: WallClock.system.now())
    #expect(scene.store.objects.count == 1)
    try await scene.sweep(at: WallClock.system.now() + .minutes(61))
    #expect(scene.store.objects.isEmpty)
  }

  @Test func `a picture is stored, listed, and read by its link`() async throws {
    let scene = try await Scene()
    let made = try await scene.upload()
    #expect(made.status == 200, "\(made)")
    #expect(made.json["mimeType"]?.string == "image/png")
    #expect(made.json["size"]?.int == Int64(png.count))
    let key = try #require(made.json["key"]?.string)
    #expect(key.hasPrefix("\(scene.organization.id)/unit/\(scene.organization.unit)/") && key.hasSuffix(".png"))
    #expect(scene.store.objects["/pictures/" + key]?.content == png)
    let read = try await scene.follow(made.json["url"]?.string)
    #expect(read.status == 200 && read.body == png)
    #expect(read.header("content-type") == "image/png")
    let list = try await scene.house.call(
      .get, scene.path + "?assetType=unit&entityId=\(scene.organization.unit)", as: scene.organization.owner)
    #expect(list.json[0]?["id"]?.string == made.json["id"]?.string)
    let one = scene.path + "/\(try #require(made.json["id"]?.string))"
    let content = try await scene.house.call(.get, one + "/content", as: scene.organization.owner)
    #expect(content.status == 302)
    #expect(try await scene.follow(content.headers["location"]).body == png)
  }

  @Test func `a changed link leads nowhere`() async throws {
    let scene = try await Scene()
    let url = try #require(try await scene.upload().json["url"]?.string)
    #expect(try await scene.follow(url.replacing("image%2Fpng", with: "text%2Fhtml")).status == 403)
    #expect(try await scene.follow(url.replacing("X-Amz-Expires=900", with: "X-Amz-Expires=9000")).status == 403)
  }

  @Test func `a form is taken too, whatever it says of its file`() async throws {
    let scene = try await Scene()
    let made = try await scene.uploadForm(png)
    #expect(made.status == 200, "\(made)")
    #expect(made.json["mimeType"]?.string == "image/png")
    #expect(made.json["key"]?.string?.contains("fridge") == false)
    #expect(scene.store.objects.values.first?.content == png)
    #expect(try await scene.uploadForm(png, field: #"name="file""#).badFields == ["file"])
    #expect(try await scene.upload(png, contentType: "multipart/form-data").status == 400)
  }

  @Test(
    arguments: [
      ([0xFF, 0xD8, 0xFF, 0xE0], "image/jpeg"), (Array("GIF89a".utf8), "image/gif"),
      (Array("GIF87a".utf8), "image/gif"),
      (Array("RIFF\u{1}\u{2}\u{3}\u{4}WEBPVP8 ".utf8), "image/webp"), (Array("RIFF\u{1}\u{2}\u{3}\u{4}WAVE".utf8), nil),
      (Array("<svg xmlns=\"http://www.w3.org/2000/svg\"/>".utf8), nil), (Array("<html>".utf8), nil),
      ([0x89, 0x50], nil),
    ] as [([UInt8], String?)]) func `what a file is, its first bytes say`(content: [UInt8], type: String?)
  {
    #expect(ImageType(content: content[...])?.rawValue == type)
  }

  @Test func `what is no picture is refused, and an empty one`() async throws {
    let scene = try await Scene()
    for content in [Array("<svg/>".utf8), Array("%PDF-1.7".utf8), []] {
      let refused = try await scene.upload(content)
      #expect(refused.status == 400)
      #expect(refused.badFields == ["file"])
      #expect(try await scene.uploadForm(content).badFields == ["file"])
    }
    #expect(scene.store.objects.isEmpty)
  }

  @Test func `five mebibytes are the limit`() async throws {
    let scene = try await Scene()
    let largest = png + [UInt8](repeating: 0, count: AssetRoutes.largest - png.count)
    #expect(try await scene.upload(largest).status == 200)
    #expect(try await scene.uploadForm(largest).status == 200)
    #expect(try await scene.upload(largest + [0]).status == 413)
    #expect(try await scene.uploadForm(largest + [0]).status == 413)
  }

  @Test func `a thing has a hundred pictures at most`() async throws {
    let scene = try await Scene()
    try await scene.house.sql(
      """
      INSERT INTO assets (organization_id, asset_type, entity_id, object_key, mime_type, size, sha256, uploaded_by)
      SELECT $1, 'unit', $2, n::text, 'image/png', 1, sha256('a'), $2 FROM generate_series(1, 99) n
      """, [.uuid(scene.organization.id), .uuid(scene.organization.unit)])
    #expect(try await scene.upload().status == 200)
    #expect(try await scene.upload().status == 409)
    #expect(try await scene.upload(of: "site", scene.organization.site).status == 200)
  }

  @Test func `what it belongs to must be there, in this organization`() async throws {
    let scene = try await Scene()
    let other = try await scene.house.organization()
    for (type, entity) in [
      ("unit", other.unit), ("site", other.site), ("site", scene.organization.unit), ("avatar", other.owner.id),
      ("corrective-action", UUID.v4()),
    ] { #expect(try await scene.upload(of: type, entity).badFields == ["entityId"], "\(type)") }
    #expect(try await scene.upload(of: "site", scene.organization.site).status == 200)
    #expect(try await scene.upload(of: "kitchen").badFields == ["assetType"])
    let nameless = try await scene.house.send(
      .post, scene.path + "/upload", as: scene.organization.owner, png, contentType: "image/png")
    #expect(nameless.badFields == ["assetType", "entityId"])
  }

  @Test func `pictures of one organization are nothing to another`() async throws {
    let scene = try await Scene()
    let id = try #require(try await scene.upload().json["id"]?.string)
    let other = try await scene.house.organization()
    for suffix in ["", "/content"] {
      #expect(try await scene.house.call(.get, other.path + "/assets/\(id)\(suffix)", as: other.owner).status == 404)
      #expect(try await scene.house.call(.get, scene.path + "/\(id)\(suffix)", as: other.owner).status == 403)
    }
    #expect(try await scene.house.call(.delete, other.path + "/assets/\(id)", as: other.owner).status == 404)
    #expect(try await scene.house.call(.get, other.path + "/assets", as: other.owner).json.count == 0)
  }

  @Test func `who may add a picture depends on what it shows`() async throws {
    let scene = try await Scene()
    let (staff, manager) = (
      try await scene.house.member(.staff, of: scene.organization.id),
      try await scene.house.member(.manager, of: scene.organization.id)
    )
    #expect(try await scene.upload(as: staff).status == 403)
    let made = try await scene.upload(as: manager)
    #expect(made.status == 200)
    #expect(try await scene.upload(of: "avatar", staff.id, as: staff).status == 200)
    #expect(try await scene.upload(of: "avatar", manager.id, as: staff).status == 403)
    #expect(try await scene.upload(of: "avatar", staff.id).status == 200)
    let path = scene.path + "/\(try #require(made.json["id"]?.string))"
    #expect(try await scene.house.call(.delete, path, as: staff).status == 403)
    #expect(try await scene.house.call(.delete, path, as: manager).status == 204)
    #expect(try await scene.house.call(.get, path, as: manager).status == 404)
    let audit = try await scene.house.call(
      .get, scene.organization.path + "/audit/verify", as: scene.organization.owner)
    #expect(audit.json["valid"]?.bool == true)
  }

  @Test func `a store that refuses or is away leaves nothing behind`() async throws {
    let wrong = try await Scene { $0.client(secretKey: "another") }
    let refused = try await wrong.upload()
    #expect(refused.status == 503)
    #expect(refused.errorCode == "UNAVAILABLE")
    let away = try await Scene { _ in
      ObjectStore(endpoint: "http://127.0.0.1:1", bucket: "b", accessKey: "a", secretKey: "s")
    }
    #expect(try await away.upload().status == 503)
    for scene in [wrong, away] { #expect(try await scene.house.sql("SELECT 1 FROM assets").isEmpty) }
  }

  @Test func `without a store there are no pictures, and the answer says so`() async throws {
    let scene = try await Scene { _ in nil }
    #expect(try await scene.upload().errorCode == "NOT_CONFIGURED")
    #expect(try await scene.house.call(.get, scene.path, as: scene.organization.owner).status == 200)
    try await scene.house.sql(
      """
      INSERT INTO assets (organization_id, asset_type, entity_id, object_key, mime_type, size, sha256, uploaded_by)
      VALUES ($1, 'unit', $2, 'key', 'image/png', 1, sha256('a'), $2)
      """, [.uuid(scene.organization.id), .uuid(scene.organization.unit)])
    let list = try await scene.house.call(.get, scene.path, as: scene.organization.owner)
    #expect(list.json[0]?["url"]?.isNull == true)
    let content = scene.path + "/\(try #require(list.json[0]?["id"]?.string))/content"
    #expect(try await scene.house.call(.get, content, as: scene.organization.owner).errorCode == "NOT_CONFIGURED")
  }

  @Test(arguments: [
    ("https://s3.example.com", true), ("https://s3.example.com/", true), ("http://10.0.0.1:9000", true),
    ("https://s3.example.com/path", false), ("s3.example.com", false), ("https://user@s3.example.com", false),
    ("ftp://s3.example.com", false), ("https://", false),
  ]) func `an endpoint is scheme, host and port`(endpoint: String, isOne: Bool) {
    let store = ObjectStore(endpoint: endpoint, bucket: "b", accessKey: "a", secretKey: "s")
    #expect((store != nil) == isOne)
  }
}
