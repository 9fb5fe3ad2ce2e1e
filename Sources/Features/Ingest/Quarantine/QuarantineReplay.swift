import Basics
import Devices
import HTTP
import Identity
import PostgreSQL
import Runtime
import Telemetry

/// Sends kept messages of a device once more through the door by which they came, dated as they came.
public struct QuarantineReplay: Sendable {
  /// Messages in one go, and goes in one claim.
  private static let countMax = 500
  private static let rounds = 20

  let database: Database
  private let writer: WriterDoor

  /// - Parameter home: the loop on which readings are written.
  public init(database: Database, home: EventLoop, clock: WallClock, log: Log, metrics: Metrics) {
    self.database = database
    writer = WriterDoor(
      home: home, database: database, clock: clock, log: log, metrics: IngestMetrics(metrics), budget: .seconds(25))
  }

  /// What became of them.
  struct Result {
    var stored = 0
    var duplicate = 0
    var ignored = 0
    var remaining = 0
  }

  /// On whose behalf a replay is written down.
  struct Author {
    let event: Value
    let userId: UUID?
    let at: Instant
  }

  /// For a device that is known by now. What cannot be taken all the same stays, with the new reason.
  func replay(_ devEUI: String, of device: UUID, in organization: UUID, by author: Author) async throws -> Result {
    var result = Result()
    var after: (Instant, UUID) = (.distantPast, UUID(high: 0, low: 0))
    for _ in 0..<Self.rounds {
      let rows = try await open(devEUI, organization, after: after)
      guard let last = rows.last else { break }
      after = (try last.instant(1), try last.uuid(0))
      let kept = try rows.map { (id: try $0.uuid(0), receivedAt: try $0.instant(1), body: try $0.bytes(2)) }
      let scope = IngestScope(
        confirmedEarlier: organization, apiKeyId: try rows[0].optionalUUID(3) ?? UUID(high: 0, low: 0), siteId: nil)
      let intakes = try kept.map { message in
        try IngestDoor.recognised(message.body[...]).read(message.body[...], scope, arrivedAt: message.receivedAt)[0]
      }
      let settled: [Settled]
      do throws(WriteFailure) { settled = try await writer.write(intakes) } catch {
        throw HTTPError.unavailable("The messages could not be stored; try again", retryAfter: 5)
      }
      try await note(zip(kept.map(\.id), settled), device, organization, author, &result)
    }
    result.remaining = Int(
      try await database.query(
        """
        SELECT count(*) FROM quarantined_uplinks
        WHERE organization_id = $1 AND dev_eui = $2 AND claimed_at IS NULL AND discarded_at IS NULL
        """, [.uuid(organization), .text(devEUI)])[0].int(0))
    return result
  }

  /// Of devices that have become known in another way than by a claim.
  public func run(at now: Instant) async throws {
    let waiting = try await database.query(
      """
      SELECT DISTINCT d.organization_id, d.dev_eui, d.id FROM quarantined_uplinks q
      JOIN devices d ON d.organization_id = q.organization_id AND d.dev_eui = q.dev_eui AND d.deleted_at IS NULL
        AND d.is_active
      WHERE q.claimed_at IS NULL AND q.discarded_at IS NULL AND q.reason = 'unknown_device' LIMIT 20
      """)
    let author = Author(event: Audit.system(at: now), userId: nil, at: now)
    for row in waiting {
      _ = try await replay(try row.text(1), of: try row.uuid(2), in: try row.uuid(0), by: author)
    }
  }

  private func open(_ devEUI: String, _ organization: UUID, after: (Instant, UUID)) async throws -> Rows {
    try await database.query(
      """
      SELECT id, received_at, body, api_key_id FROM quarantined_uplinks
      WHERE organization_id = $1 AND dev_eui = $2 AND claimed_at IS NULL AND discarded_at IS NULL
        AND (received_at, id) > ($3, $4)
      ORDER BY received_at, id LIMIT $5
      """,
      [
        .uuid(organization), .text(devEUI), .timestamp(after.0), .uuid(after.1), .int(Int64(Self.countMax)),
      ])
  }

  private func note(
    _ answers: some Sequence<(UUID, Settled)>, _ device: UUID, _ organization: UUID, _ author: Author,
    _ result: inout Result
  ) async throws {
    var (claimed, outcomes, kept, reasons): ([UUID], [String], [UUID], [String]) = ([], [], [], [])
    for (id, answer) in answers {
      let outcome: String
      switch answer {
      case .stored:
        outcome = "stored"
        result.stored += 1
      case .duplicate:
        outcome = "duplicate"
        result.duplicate += 1
      case .ignored, .foreign, .refused:
        outcome = "ignored"
        result.ignored += 1
      case .quarantined(let reason):
        kept.append(id)
        reasons.append(reason.rawValue)
        continue
      }
      claimed.append(id)
      outcomes.append(outcome)
    }
    _ = try await database.pipeline([
      (
        """
        WITH done AS (
          UPDATE quarantined_uplinks q SET claimed_at = $4, claimed_by = $5, claimed_device_id = $3, outcome = n.outcome
          FROM unnest($6::uuid[], $7::text[]) n (id, outcome)
          WHERE q.organization_id = $1 AND q.id = n.id AND q.claimed_at IS NULL AND q.discarded_at IS NULL RETURNING q.id
        )
        SELECT append_event_log($1, $2, 'quarantine.claimed', 'device', $3, NULL,
          jsonb_build_object('messages', count(*))) FROM done HAVING count(*) > 0
        """,
        [
          .uuid(organization), author.event, .uuid(device), .timestamp(author.at), .optional(author.userId),
          .uuids(claimed), .texts(outcomes),
        ]
      ),
      (
        """
        UPDATE quarantined_uplinks q SET reason = n.reason, detail = NULL FROM unnest($2::uuid[], $3::text[]) n (id, reason)
        WHERE q.organization_id = $1 AND q.id = n.id AND q.reason <> n.reason
        """, [.uuid(organization), .uuids(kept), .texts(reasons)]
      ),
    ])
  }
}
