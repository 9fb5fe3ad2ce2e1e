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
