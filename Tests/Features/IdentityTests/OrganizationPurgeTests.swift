import Basics
import FeatureSupport
import HTTP
import JSON
import PostgreSQL
import Testing

@testable import Identity

@Suite(.serialized) struct OrganizationPurgeTests {
  /// A house with two organizations that have readings of units and of sensors without one; the first is deleted softly.
  private struct Scene {
    let house: House
    let gone: House.Organization
    let stays: House.Organization
    let admin: House.User
    var path: String { "/api/admin/organizations/\(gone.id)" }

    init() async throws {
      house = try await House()
      (gone, stays) = (try await house.organization("Gone"), try await house.organization("Stays"))
      let user = try await house.user()
      admin = user
      let now = WallClock.system.now()
      _ = try await house.run { try await Operator(database: $0).setSuperAdmin(user.id, to: true, now: now) }
      for organization in [gone, stays] {
        _ = try await house.call(
          .post, organization.path + "/devices", as: organization.owner, #"{"name":"a","devEui":"\#(Self.eui())"}"#)
        try await house.sql(
          """
          INSERT INTO sensor_readings (organization_id, unit_id, device_id, recorded_at, temperature, source)
          SELECT $1, CASE WHEN n % 5 > 0 THEN $2::uuid END, d.id, now() - n * interval '12 hours', 4, 'ttn'
          FROM generate_series(1, 100) n, devices d WHERE d.organization_id = $1
          """, [.uuid(organization.id), .uuid(organization.unit)])
      }
      try await house.markHours()
      _ = try await house.call(.delete, path, as: admin)
    }

    private static func eui() -> String { UUID.v4().description.uppercased().filter { $0 != "-" }.suffix(16) + "" }

    /// In all tables, itself counted.
    func rows(of organization: House.Organization) async throws -> Int64 {
      var count: Int64 = 0
      for table in try await house.sql("SELECT t::text FROM unnest(purge_order()) t") {
        let found = try await house.sql(
          "SELECT count(*) FROM ONLY " + SQL.identifier(try table.text(0)) + " WHERE organization_id = $1",
          [.uuid(organization.id)])
        count += try found.first?.int(0) ?? 0
      }
      return try await count
        + Int64(house.sql("SELECT FROM organizations WHERE id = $1", [.uuid(organization.id)]).count)
    }

    /// As a request decides it that ends before the first step.
    func begin() async throws {
      try await house.sql(
        """
        INSERT INTO organization_purges (about_organization, name, author, started_at, entries, last_hash)
        SELECT $1, 'Gone',
          jsonb_build_object('type', 'user', 'id', $2::text, 'at', (extract(epoch FROM now()) * 1e6)::bigint), now(),
          seq, encode(event_hash, 'hex')
        FROM event_log_heads WHERE organization_id = $1
        """, [.uuid(gone.id), .text(admin.id.description)])
    }

    func steps(_ count: Int, of stride: Int) async throws -> OrganizationPurge.Progress? {
      let id = gone.id
      return try await house.run { database in
        let purge = OrganizationPurge(database: database, stride: stride)
        var progress: OrganizationPurge.Progress?
        for _ in 0..<count { progress = try await purge.step(id) }
        return progress
      }
    }

    func entries() async throws -> [Int64?] {
      let log = try await house.call(.get, "/api/admin/audit", as: admin)
      return log.json.elements.filter { $0["action"]?.string == "organization.purged" }
        .map { $0["details"]?["rows"]?.int }
    }
  }

  @Test func `a deletion that was interrupted goes on where it stopped, and is logged once`() async throws {
    let scene = try await Scene()
    let (all, others) = (try await scene.rows(of: scene.gone), try await scene.rows(of: scene.stays))
    #expect(all > 150)
    try await scene.begin()
    #expect(try await scene.steps(3, of: 20) == .init(rows: 60, isOver: false))
    #expect(try await scene.rows(of: scene.gone) == all - 60)
    #expect(try await scene.house.call(.post, scene.path + "/restore", as: scene.admin).status == 404)
    #expect(try await scene.entries() == [])
    let rest = try await scene.house.call(
      .post, scene.path + "/purge", as: scene.admin, #"{"confirmName":"Gone"}"#)
    #expect(rest.json["deletedRows"]?.int == all, "\(rest)")
    #expect(rest.json["done"]?.bool == true)
    #expect(try await scene.rows(of: scene.gone) == 0)
    #expect(try await scene.rows(of: scene.stays) == others)
    #expect(try await scene.entries() == [all])
    #expect(try await scene.steps(1, of: 20) == nil)
  }

  @Test func `nobody needs to ask again`() async throws {
    let scene = try await Scene()
    let all = try await scene.rows(of: scene.gone)
    try await scene.begin()
    _ = try await scene.steps(2, of: 7)
    try await scene.house.run { try await OrganizationPurge(database: $0).run() }
    #expect(try await scene.rows(of: scene.gone) == 0)
    #expect(try await scene.entries() == [all])
  }

  @Test func `a row that came behind the deletion goes too`() async throws {
    let scene = try await Scene()
    let all = try await scene.rows(of: scene.gone)
    try await scene.begin()
    while try await scene.house.sql("SELECT FROM sensor_readings WHERE organization_id = $1", [.uuid(scene.gone.id)])
      .count > 0
    { _ = try await scene.steps(1, of: 5) }
    try await scene.house.sql(
      "INSERT INTO rollup_marks (unit_id, hour, organization_id, due_at) VALUES ($1, 'epoch', $2, now())",
      [.uuid(scene.gone.unit), .uuid(scene.gone.id)])
    try await scene.house.run { try await OrganizationPurge(database: $0).run() }
    #expect(try await scene.rows(of: scene.gone) == 0)
    #expect(try await scene.entries() == [all + 1])
  }
}
