import Basics
import ColdChain
import Devices
import Identity
import Readings

/// Something that waits to be made durable. Indirect: it changes hands several times on its way.
indirect enum Intake {
  case uplink(Uplink, body: ArraySlice<UInt8>)
  case deviceEvent(DeviceEvent, body: ArraySlice<UInt8>)
  case quarantine(QuarantinedUplink)
  case sample(Sample, by: IngestScope)

  /// The device that must be looked up for it.
  var deviceKey: DeviceKey? {
    switch self {
    case .uplink(let uplink, _): uplink.devEUI.map { .devEUI($0, organization: uplink.scope.organizationId) }
    case .deviceEvent(let event, _): event.devEUI.map { .devEUI($0, organization: event.scope.organizationId) }
    case .sample(let sample, let scope): sample.deviceId.map { .id($0, organization: scope.organizationId) }
    case .quarantine: nil
    }
  }

  var unitId: UUID? {
    if case .sample(let sample, _) = self { sample.unitId } else { nil }
  }
}

/// One reading of `POST /api/ingest/readings`: measured and decoded by whoever sends it.
struct Sample {
  let unitId: UUID
  let deviceId: UUID?
  let recordedAt: Instant
  let arrivedAt: Instant
  let source: Reading.Source
  let temperature: Temperature
  let humidity: Humidity?
  let batteryPercent: Int16?
  let signalStrength: Int16?
  let payload: [UInt8]?
}

/// What became of it, once that is durable.
enum Settled: Sendable {
  case stored(readingId: UUID, alertsTriggered: Int)
  case duplicate(readingId: UUID)
  case quarantined(QuarantineReason)
  /// Recorded on the device, no reading in it.
  case ignored(String)
  /// Only for samples: it is not for this key to send.
  case foreign(String)
  /// Only for samples: PostgreSQL does not take it.
  case refused(String)
}

/// What an intake means, given the directory.
enum Resolved {
  /// The samples of one uplink, oldest first; never empty.
  case readings([Reading])
  case quarantine(QuarantinedUplink)
  case deviceEvent(DeviceEvent, deviceId: UUID, organizationId: UUID)
  case foreign(String)
  case nothing(String)
}

extension Intake {
  func resolve(_ directory: Directory) -> Resolved {
    switch self {
    case .quarantine(let uplink): .quarantine(uplink)
    case .sample(let sample, let scope): sample.resolve(directory, scope)
    case .deviceEvent(let event, let body): event.resolve(directory, body)
    case .uplink(let uplink, let body): uplink.resolve(directory, body)
    }
  }
}

extension Uplink {
  fileprivate func resolve(_ directory: Directory, _ body: ArraySlice<UInt8>) -> Resolved {
    guard let devEUI else { return quarantined(.unknownDevice, "the message names no dev_eui", body) }
    guard let device = directory.device(.devEUI(devEUI, organization: scope.organizationId)) else {
      return quarantined(.unknownDevice, nil, body)
    }
    if let expected = device.applicationID, expected != applicationID {
      return quarantined(.wrongApplication, "the device belongs to the application \(expected)", body)
    }
    let samples: [Measurements]
    do throws(DecodeFailure) {
      samples = try Measurements.of(
        payload ?? [], port: port, model: device.model ?? model, decoded: decoded, normalized: normalized,
        receivedAt: receivedAt)
    } catch {
      return quarantined(.undecodable, "\(error)", body)
    }
    if samples.isEmpty { return .nothing("The uplink holds no measurement") }
    // What comes from the sensor's memory without a time cannot be placed: at receipt it would pass for the present.
    let placed = samples.filter { $0.kind == .live || $0.sampledAt != nil }
    if placed.isEmpty { return quarantined(.impossibleTime, "samples of the sensor's memory without their time", body) }
    var readings: [Reading] = []
    readings.reserveCapacity(placed.count)
    for sample in placed {
      let reading = reading(of: sample, device)
      if let site = scope.siteId, reading.unitId.flatMap({ directory.rules(of: $0)?.siteId }) != site {
        return quarantined(.wrongSite, "the key speaks for another site", body)
      }
      readings.append(reading)
    }
    readings.sort { $0.recordedAt < $1.recordedAt }
    return .readings(readings)
  }

  private func reading(of sample: Measurements, _ device: DeviceEntry) -> Reading {
    let recordedAt = sample.sampledAt ?? receivedAt
    let assignment = device.assignment(at: recordedAt)
    var reading = Reading(
      id: .v7(at: arrivedAt), organizationId: device.organizationId, unitId: assignment?.unitId,
      deviceId: device.deviceId, recordedAt: recordedAt, receivedAt: arrivedAt, source: .ttn)
    let measured = device.temperature(of: sample, assignment, at: recordedAt)
    reading.temperature = measured.temperature
    reading.probe = sample.probe
    reading.ambient = sample.ambient
    reading.humidity = sample.humidity ?? sample.probeHumidity
    reading.batteryPercent = (sample.batteryPercent ?? percent(of: sample.batteryVoltage, device)).map {
      Int16($0.value)
    }
    reading.batteryVoltage = sample.batteryVoltage
    reading.signalStrength = signalStrength.map { Int16($0.dBm) }
    reading.snr = snr.map { Int64(($0 * 100).rounded()) }
    reading.doorOpen = sample.doorOpen
    reading.port = Int16(port)
    reading.frameCounter = frameCounter
    reading.session = session
    reading.payload = payload
    reading.simulated = simulated
    reading.flags = Reading.Flags(sample.flags)
    if measured.isCalibrated { reading.flags.insert(.calibrated) }
    if assignment?.isPrimary == false { reading.flags.insert(.secondary) }
    if sample.kind != .live { reading.flags.insert(.backfill) }
    if isPart { reading.flags.insert(.part) }
    if isHealed { reading.flags.insert(.healed) }
    return reading
  }

  private func percent(of voltage: Voltage?, _ device: DeviceEntry) -> Percent? {
    guard let voltage, let model = device.model ?? model else { return nil }
    return PayloadDecoder.named(model)?.chemistry?.percent(of: voltage)
  }

  private func quarantined(_ reason: QuarantineReason, _ detail: String?, _ body: ArraySlice<UInt8>) -> Resolved {
    .quarantine(
      QuarantinedUplink(
        id: .v7(at: arrivedAt), organizationId: scope.organizationId, apiKeyId: scope.apiKeyId, reason: reason,
        detail: detail, devEUI: devEUI, deviceID: deviceID, applicationID: applicationID, receivedAt: arrivedAt,
        body: Array(body)))
  }
}

extension DeviceEvent {
  fileprivate func resolve(_ directory: Directory, _ body: ArraySlice<UInt8>) -> Resolved {
    if let devEUI, let device = directory.device(.devEUI(devEUI, organization: scope.organizationId)) {
      return .deviceEvent(self, deviceId: device.deviceId, organizationId: device.organizationId)
    }
    return .quarantine(
      QuarantinedUplink(
        id: .v7(at: occurredAt), organizationId: scope.organizationId, apiKeyId: scope.apiKeyId, reason: .unknownDevice,
        detail: type, devEUI: devEUI, deviceID: deviceID, applicationID: nil, receivedAt: occurredAt, body: Array(body))
    )
  }
}

extension Sample {
  fileprivate func resolve(_ directory: Directory, _ scope: IngestScope) -> Resolved {
    guard let rules = directory.rules(of: unitId), rules.organizationId == scope.organizationId,
      scope.siteId.map({ $0 == rules.siteId }) ?? true
    else { return .foreign("unitId is not a unit of this organization") }
    var isPrimary = true
    var offset: TemperatureDifference?
    if let deviceId {
      guard let device = directory.device(.id(deviceId, organization: scope.organizationId)) else {
        return .foreign("deviceId is not a device of this organization")
      }
      let assignment = device.assignment(at: recordedAt)
      isPrimary = assignment?.isPrimary ?? true
      offset = device.offset(of: assignment?.channel, at: recordedAt)
    }
    var reading = Reading(
      id: .v7(at: arrivedAt), organizationId: scope.organizationId, unitId: unitId, deviceId: deviceId,
      recordedAt: recordedAt, receivedAt: arrivedAt, source: source)
    reading.temperature = temperature
    if let offset {
      reading.temperature = temperature + offset
      reading.probe = temperature
      reading.flags.insert(.calibrated)
    }
    reading.humidity = humidity
    reading.batteryPercent = batteryPercent
    reading.signalStrength = signalStrength
    reading.payload = payload
    if !isPrimary { reading.flags.insert(.secondary) }
    return .readings([reading])
  }
}
