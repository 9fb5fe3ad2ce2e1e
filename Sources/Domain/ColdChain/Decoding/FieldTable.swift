import Basics
import JSON

/// Reads the decoded objects that networks send beside the bytes, under the names that vendors' scripts give their
/// fields.
public enum FieldTable {
  enum Field: Int, CaseIterable {
    case ambient, probe, probe2, probe3, humidity, probeHumidity, batteryVoltage, batteryPercent, batteryState, door
    case doorCount, openMinutes, openSeconds, leak, time
  }

  /// Names by field; of several present the first wins.
  private static let names: [(Field, [String])] = [
    (
      .probe,
      [
        "TempC_DS", "TempC_TMP117", "Ext_TempC_SHT", "externalTemperature", "temp_probe", "temperature_probe", "TempC1",
        "Temp_Red",
      ]
    ),
    (.probe2, ["externalTemperature2", "TempC2", "Temp_White"]),
    (.probe3, ["TempC3", "Temp_Black"]),
    (.ambient, ["TempC_SHT", "temperature", "temp", "temperature_c", "temp_c", "Temp", "airTemperature"]),
    (.humidity, ["Hum_SHT", "humidity", "humidity_pct", "relative_humidity", "rh", "Humi", "relativeHumidity"]),
    (.probeHumidity, ["Ext_Hum_SHT"]),
    (
      .batteryVoltage,
      [
        "BatV", "BAT_V", "BAT", "bat_v", "battery_v", "battery_voltage", "batteryVoltage", "battery_volt_abs", "vbat",
        "Volt", "vdd", "Bat_mV",
      ]
    ),
    (.batteryPercent, ["battery_level", "battery_pct", "batteryPercent", "battery"]),
    (.batteryState, ["Bat_status"]),
    (
      .door,
      [
        "door_open", "DOOR_OPEN_STATUS", "door_status", "open_state_abs", "doorStatus", "door", "open_close",
        "contactStatus", "contactState", "magnet", "magnet_status", "Door_status", "OnOff", "digital", "contact",
      ]
    ),
    (.doorCount, ["open_count", "DOOR_OPEN_TIMES", "open_times", "door_open_times"]),
    (.openSeconds, ["open_duration_s", "last_open_s", "last_open_duration_s"]),
    (.openMinutes, ["LAST_DOOR_OPEN_DURATION", "open_duration", "last_open_duration", "last_door_open_duration"]),
    (.leak, ["water_leak", "leak", "waterleak", "WATER_LEAK_STATUS", "flood", "leak_status"]),
    (.time, ["Systimestamp", "TIME"]),
  ]

  private struct Match { var field: Field; var rank: Int }

  private static let exact: [String: Match] = {
    var table: [String: Match] = [:]
    for (field, keys) in names {
      for (rank, key) in keys.enumerated() { table[key] = Match(field: field, rank: rank) }
    }
    return table
  }()

  private static let folded: [String: Match] = {
    var table: [String: Match] = [:]
    for (key, match) in exact {
      let lower = key.lowercased()
      if let other = table[lower], other.rank <= match.rank { continue }
      table[lower] = Match(field: match.field, rank: match.rank)
    }
    return table
  }()

  private static let temperatures: Set<Field> = [.ambient, .probe, .probe2, .probe3]

  /// What a key means, and whether its value is in °F: only keys that end in `_f` or `F` are.
  private static func match(_ key: String) -> (match: Match, fahrenheit: Bool)? {
    if let match = exact[key] { return (match, false) }
    let lower = key.lowercased()
    if let match = folded[lower] { return (Match(field: match.field, rank: match.rank + 100), false) }
    guard key.hasSuffix("_f") || key.hasSuffix("F") else { return nil }
    let base = lower.hasSuffix("_f") ? lower.dropLast(2) : lower.dropLast()
    guard let match = folded[String(base)], temperatures.contains(match.field) else { return nil }
    return (Match(field: match.field, rank: match.rank + 200), true)
  }

  /// What a `decoded_payload` says. Nil when it holds nothing that is known.
  public static func measurements(
    from decoded: JSONValue, model: String? = nil, receivedAt: Instant
  ) -> Measurements? {
    typealias Found = (value: JSONValue, key: String, rank: Int, fahrenheit: Bool)
    var found = [Found?](repeating: nil, count: Field.allCases.count)
    for (key, value) in decoded.members {
      guard let (match, fahrenheit) = match(key) else { continue }
      // A field that is there with a value wins over one that is null.
      let rank = match.rank + (value.isNull ? 1000 : 0)
      if let other = found[match.field.rawValue], other.rank <= rank { continue }
      found[match.field.rawValue] = (value, key, rank, fahrenheit)
    }
    var reader = FieldReader(model: model?.lowercased() ?? "", receivedAt: receivedAt)
    for field in Field.allCases {
      guard let entry = found[field.rawValue] else { continue }
      reader.take(field, entry.value, key: entry.key, fahrenheit: entry.fahrenheit)
    }
    reader.sample.dropFailedAmbient()
    return reader.sample.isEmpty ? nil : reader.sample
  }

  /// What a `normalized_payload` says: an object, or an array of them from one uplink. Its battery is in volts. Objects of
  /// the same time, or without one, are parts of one sample.
  public static func measurements(fromNormalized normalized: JSONValue, receivedAt: Instant) -> [Measurements] {
    guard normalized.kind == .array else {
      return one(fromNormalized: normalized, receivedAt: receivedAt).map { [$0] } ?? []
    }
    var samples: [Measurements] = []
    for object in normalized.elements.prefix(100) {
      guard let part = one(fromNormalized: object, receivedAt: receivedAt) else { continue }
      if let place = samples.firstIndex(where: { $0.sampledAt == part.sampledAt }) {
        samples[place].complete(by: part)
      } else {
        samples.append(part)
      }
    }
    return samples
  }

  private static func one(fromNormalized object: JSONValue, receivedAt: Instant) -> Measurements? {
    var reader = FieldReader(model: "", receivedAt: receivedAt)
    let fields: [(Field, JSONValue?)] = [
      (.ambient, object["air"]?["temperature"]), (.humidity, object["air"]?["relativeHumidity"]),
      (.batteryVoltage, object["battery"]), (.door, object["action"]?["contactState"]),
      (.leak, object["water"]?["leak"]), (.time, object["time"]),
    ]
    for (field, value) in fields {
      if let value { reader.take(field, value, key: "", fahrenheit: false) }
    }
    reader.sample.dropFailedAmbient()
    return reader.sample.isEmpty ? nil : reader.sample
  }
}
