import Basics
import PostgreSQL
import Synchronization
import Telemetry

/// What the whole installation looks like, counted in the database now and then and shown on the metrics page.
public final class Figures: Sendable {
  /// Units with a series of their own at most: beyond that a dashboard asks the API.
  private static let unitsMax = 500

  private struct Counted {
    var single: [String: Double] = [:]
    var alerts: [(labels: [String], value: Double)] = []
    var units: [(labels: [String], value: Double)] = []
    var temperatures: [(labels: [String], value: Double)] = []
    var batteries: [(labels: [String], value: Double)] = []
  }

  private let database: Database
  private let counted = Mutex(Counted())

  public init(database: Database, metrics: Metrics) {
    self.database = database
    for (name, help) in Self.single {
      metrics.observed(name, help: help, kind: .gauge, labels: []) { [weak self] in
        // Absent until it was counted: a made-up zero would read as "no alerts".
        self?.counted.withLock { $0.single[name] }.map { [([], $0)] } ?? []
      }
    }
    metrics.observed("alerts_open", help: "Alerts that are not resolved.", kind: .gauge, labels: ["severity"]) {
      [weak self] in self?.counted.withLock { $0.alerts } ?? []
    }
    metrics.observed("units", help: "Monitored units, by state.", kind: .gauge, labels: ["status"]) {
      [weak self] in self?.counted.withLock { $0.units } ?? []
    }
    metrics.observed(
      "freshtrack_temperature_celsius", help: "The last temperature of a unit.", kind: .gauge,
      labels: ["sensor_id", "location"]
    ) { [weak self] in self?.counted.withLock { $0.temperatures } ?? [] }
    metrics.observed(
      "freshtrack_sensor_battery_percent", help: "The battery of a sensor, when it tells.", kind: .gauge,
      labels: ["sensor_id"]
    ) { [weak self] in self?.counted.withLock { $0.batteries } ?? [] }
  }

  private static let single = [
    ("freshtrack_sensors_active", "Sensors that were heard from within the last hour."),
    ("freshtrack_alerts_active", "Alerts that are not resolved."),
    ("quarantined_uplinks", "Uplinks that nobody could be found for, kept for a person to look at."),
    ("readings_default_partition_rows", "Readings in no month's partition."),
  ]

  /// Counts anew. To be run every 30 seconds or so.
  public func count(at now: Instant) async throws {
    let answers = try await database.pipeline([
      (
        """
        SELECT (SELECT count(*) FROM device_states WHERE last_seen_at > $1::timestamptz - interval '1 hour'),
          (SELECT count(*) FROM alerts WHERE status <> 'resolved'),
          (SELECT count(*) FROM quarantined_uplinks WHERE claimed_at IS NULL AND discarded_at IS NULL),
          (SELECT count(*) FROM sensor_readings_default)
        """, [.timestamp(now)]
      ),
      ("SELECT severity, count(*) FROM alerts WHERE status <> 'resolved' GROUP BY severity", []),
      (
        """
        SELECT s.status, count(*) FROM unit_states s
        JOIN units u ON u.id = s.unit_id AND u.is_active AND u.deleted_at IS NULL GROUP BY s.status
        """, []
      ),
      (
        """
        SELECT d.dev_eui, u.name, s.last_temperature::double precision, ds.battery
        FROM unit_states s
        JOIN units u ON u.id = s.unit_id AND u.is_active AND u.deleted_at IS NULL
        JOIN devices d ON d.id = s.last_device_id
        LEFT JOIN device_states ds ON ds.device_id = d.id
        WHERE s.last_temperature IS NOT NULL ORDER BY s.unit_id LIMIT $1
        """, [.int(Self.unitsMax)]
      ),
    ])
    var fresh = Counted()
    if let row = answers[0].first {
      for (place, (name, _)) in Self.single.enumerated() { fresh.single[name] = Double(try row.int(.index(place))) }
    }
    fresh.alerts = try answers[1].map { ([try $0.text(0)], Double(try $0.int(1))) }
    fresh.units = try answers[2].map { ([try $0.text(0)], Double(try $0.int(1))) }
    var seen: Set<String> = []
    for row in answers[3] {
      let devEUI = try row.text(0)
      fresh.temperatures.append(([devEUI, try row.text(1)], try row.double(2)))
      if let battery = try row.optionalInt(3), seen.insert(devEUI).inserted {
        fresh.batteries.append(([devEUI], Double(battery)))
      }
    }
    counted.withLock { $0 = fresh }
  }
}
