import ColdChain
import JSON

public enum AlertStatus: String, Sendable, CaseIterable {
  case active
  case acknowledged
  case resolved
}

public enum AlertSeverity: String, Sendable, CaseIterable {
  case info
  case warning
  case critical
}

public enum AlertType: String, Sendable, CaseIterable {
  case alarmActive = "alarm_active"
  case monitoringInterrupted = "monitoring_interrupted"
  case missedManualEntry = "missed_manual_entry"
  case lowBattery = "low_battery"
  case sensorFault = "sensor_fault"
  case doorOpen = "door_open"
  case calibrationDue = "calibration_due"
  case temperatureExcursion = "temp_excursion"
  case suspectedCoolingFailure = "suspected_cooling_failure"
  case gatewayOffline = "gateway_offline"
  case deviceClockDrift = "device_clock_drift"
  case dataGap = "data_gap"
  case humidityExcursion = "humidity_excursion"
  case batteryDepleted = "battery_depleted"
  case defrostOverrun = "defrost_overrun"
  case probeDisconnected = "probe_disconnected"
}

extension Schema {
  /// The temperature is in `temperatureUnit`.
  static let alert = Schema.object(
    "Alert",
    [
      .uuid("id"), .uuid("unitId").orNull, .uuid("deviceId").orNull, .uuid("incidentId").orNull,
      .uuid("alertRuleId").orNull, .choice("alertType", AlertType.self), .choice("severity", AlertSeverity.self),
      .choice("status", AlertStatus.self), .text("message"), .number("triggerTemperature").orNull,
      .choice("temperatureUnit", TemperatureUnit.self), .choice("thresholdViolated", NewAlert.Limit.self).orNull,
      .instant("triggeredAt"), .instant("acknowledgedAt").orNull, .uuid("acknowledgedBy").orNull,
      .instant("resolvedAt").orNull, .uuid("resolvedBy").orNull, .text("resolution").orNull,
      .text("resolutionType").orNull, .instant("escalatedAt").orNull, .integer("escalationLevel"), .any("metadata"),
      .text("unitName").orNull, .uuid("areaId").orNull, .text("areaName").orNull, .uuid("siteId").orNull,
      .text("siteName").orNull, .instant("createdAt"), .instant("updatedAt"),
    ])

  static let alertNote = Schema.object(
    "AlertNote",
    [
      .uuid("id"), .text("kind"), .text("text"), .uuid("author"), .text("authorName").orNull, .instant("createdAt"),
    ])
}
