import Basics
import Devices
import Identity
import JSON
import PostgreSQL

/// Takes in messages that the network server had stored, by the writer that the webhook's messages go through.
public struct StoredUplinks: Sendable {
  let database: Database
  let writer: WriterDoor

  /// Which uplink of which device a message is.
  public struct Frame: Hashable, Sendable {
    public let devEUI: EUI64
    public let session: String
    public let counter: Int64
  }

  public enum Outcome: String, Sendable {
    case stored
    case duplicate
    /// In quarantine, now or since it came before.
    case quarantined
    /// It holds no reading.
    case ignored
  }

  public struct Taken: Sendable {
    /// Nil when the message names no device or no session.
    public let frame: Frame?
    public let outcome: Outcome
  }

  /// How many are handed over at once: the messages that arrive meanwhile do not wait behind a whole page.
  private static let portion = 200

  /// `messages` are as the webhook's. Answers in their order. Throws ``HealingInterrupted`` when the database cannot take them, with
  /// some of them perhaps stored: taking them again does no harm.
  public func take(
    _ messages: [JSONValue], _ scope: IngestScope, at now: Instant
  ) async throws -> [Taken] {
    var taken: [Taken] = []
    taken.reserveCapacity(messages.count)
    for start in stride(from: 0, to: messages.count, by: Self.portion) {
      taken += try await take(portion: Array(messages[start..<min(start + Self.portion, messages.count)]), scope, now)
    }
    return taken
  }

  private func take(portion: [JSONValue], _ scope: IngestScope, _ now: Instant) async throws -> [Taken] {
    let read = portion.map { Self.read($0, scope, now) }
    let kept = try await inQuarantine(portion, of: scope.organizationId)
    let new = read.indices.filter { !kept.contains($0) }
    let settled: [Settled]
    do throws(WriteFailure) {
      settled = try await writer.write(new.map { read[$0].intake })
    } catch {
      throw HealingInterrupted()
    }
    var outcomes = [Outcome](repeating: .quarantined, count: read.count)
    for (place, result) in zip(new, settled) { outcomes[place] = Outcome(result) }
    return zip(read, outcomes).map { Taken(frame: $0.frame, outcome: $1) }
  }

  private static func read(
    _ message: JSONValue, _ scope: IngestScope, _ now: Instant
  ) -> (intake: Intake, frame: Frame?) {
    let body = Array(message.rawBytes)
    switch NetworkMessage.theThingsStack(message, scope, arrivedAt: now) {
    case .uplink(var uplink):
      uplink.isHealed = true
      let frame = uplink.devEUI.flatMap { eui in
        uplink.session.map { Frame(devEUI: eui, session: $0, counter: uplink.frameCounter) }
      }
      return (.uplink(uplink, body: body[...]), frame)
    case .deviceEvent(let event): return (.deviceEvent(event, body: body[...]), nil)
    case .unusable(let reason, let detail, let devEUI, let deviceID, let applicationID):
      return (
        .quarantine(
          QuarantinedUplink(
            id: .v7(at: now), organizationId: scope.organizationId, apiKeyId: scope.apiKeyId, reason: reason,
            detail: detail, devEUI: devEUI, deviceID: deviceID, applicationID: applicationID, receivedAt: now,
            body: body)),
        nil
      )
    }
  }

  /// The places of those that are in quarantine already: the quarantine does not know a message again, and a storage that is read
  /// every 10 minutes would fill it. Known by the network's time of receipt, which is the same in every copy.
  private func inQuarantine(_ messages: [JSONValue], of organization: UUID) async throws -> Set<Int> {
    var (places, euis, marks): ([Int64?], [String?], [[UInt8]?]) = ([], [], [])
    for (place, message) in messages.enumerated() {
      guard let eui = message["end_device_ids"]?["dev_eui"]?.string.flatMap({ EUI64($0) }),
        let time = message["uplink_message"]?["received_at"]?.string, time.utf8.count >= 20
      else { continue }
      places.append(Int64(place))
      euis.append(eui.description)
      // To the millisecond: a storage need not keep nanoseconds.
      marks.append(Array(time.utf8.prefix(23)))
    }
    guard !places.isEmpty else { return [] }
    return Set(
      try await database.query(
        """
        SELECT m.place FROM unnest($2::int8[], $3::text[], $4::bytea[]) AS m (place, dev_eui, mark)
        WHERE EXISTS (SELECT FROM quarantined_uplinks q
          WHERE q.organization_id = $1 AND q.dev_eui = m.dev_eui AND position(m.mark IN q.body) > 0)
        """, [.uuid(organization), .ints(places), .texts(euis), .byteas(marks)]
      ).map { Int(try $0.int(0)) })
  }
}

/// The database could not take it in time.
public struct HealingInterrupted: Error {}

extension StoredUplinks.Outcome {
  fileprivate init(_ settled: Settled) {
    self =
      switch settled {
      case .stored: .stored
      case .duplicate: .duplicate
      case .quarantined: .quarantined
      case .ignored, .foreign, .refused: .ignored
      }
  }
}
