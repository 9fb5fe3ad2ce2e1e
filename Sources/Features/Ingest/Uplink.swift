import Basics
import ColdChain
import Devices
import Identity
import JSON

/// One message of a device, read once: nothing after this sees the network server's JSON.
struct Uplink {
  let scope: IngestScope
  /// When it reached us.
  let arrivedAt: Instant
  /// When the network received it; the same on every delivery of the same message.
  let receivedAt: Instant
  /// Nil when the message does not name it.
  let devEUI: EUI64?
  /// The network server's name of the device.
  let deviceID: String
  let applicationID: String
  let model: String?
  let port: UInt8
  let frameCounter: Int64
  let session: String?
  let payload: [UInt8]?
  /// The network's own decoding, still JSON because only the device's model tells how to read it.
  let decoded: JSONValue?
  let normalized: JSONValue?
  /// dBm and dB, of the gateway that heard best.
  let signalStrength: SignalStrength?
  let snr: Double?
  let simulated: Bool
  /// The network tells the same frame in another message too (`uplink_normalized` beside `uplink_message`).
  var isPart = false
  /// Fetched from the network server's storage, because it did not come by itself.
  var isHealed = false
}

/// What a The Things Stack v3 webhook message is about.
enum NetworkMessage {
  case uplink(Uplink)
  /// A join or what became of a downlink: told to the device's record.
  case deviceEvent(DeviceEvent)
  /// Came with a valid key, and cannot be understood. Kept as it is.
  case unusable(reason: QuarantineReason, detail: String, devEUI: EUI64?, deviceID: String?, applicationID: String?)
}

struct DeviceEvent {
  let scope: IngestScope
  let devEUI: EUI64?
  let deviceID: String
  /// As The Things Stack names it: `join_accept`, `downlink_ack` ...
  let type: String
  let occurredAt: Instant
  let payload: [UInt8]
}

extension NetworkMessage {
  /// Of what a network server says: its clock is right, and ours may have been set back.
  static let believableAge: ClosedRange<Duration> = .hours(-2)...Measurements.believableAge.upperBound

  private static let eventTypes = [
    "join_accept", "downlink_queued", "downlink_sent", "downlink_ack", "downlink_nack", "downlink_failed",
    "downlink_queue_invalidated", "location_solved", "service_data",
  ]

  /// Reads the message of a webhook (The Things Stack 3, "Webhooks" and "Data formats"). Fields that are zero, false or empty are
  /// left out by the sender: the first uplink after a join has no `f_cnt`.
  static func theThingsStack(_ root: JSONValue, _ scope: IngestScope, arrivedAt: Instant) -> NetworkMessage {
    let ids = root["end_device_ids"]
    let deviceID = bounded(ids?["device_id"])
    let applicationID = bounded(ids?["application_ids"]?["application_id"])
    let devEUI = ids?["dev_eui"]?.string.flatMap { EUI64($0) }
    func unusable(_ reason: QuarantineReason, _ detail: String) -> NetworkMessage {
      .unusable(
        reason: reason, detail: detail, devEUI: devEUI, deviceID: deviceID, applicationID: applicationID)
    }
    guard let deviceID, let applicationID else {
      return unusable(.malformed, "end_device_ids has no device_id and application_id")
    }
    guard let uplink = root["uplink_message"] ?? root["uplink_normalized"] else {
      guard let type = eventTypes.first(where: { root[key: $0] != nil }) else {
        return unusable(.unknownType, "none of the message types that this server knows")
      }
      return .deviceEvent(
        DeviceEvent(
          scope: scope, devEUI: devEUI, deviceID: deviceID, type: type,
          occurredAt: root["received_at"].flatMap(instant) ?? arrivedAt, payload: Array(root.rawBytes)))
    }
    guard let port = integer(uplink["f_port"], 0...255), let frameCounter = integer(uplink["f_cnt"], 0...4_294_967_295)
    else { return unusable(.malformed, "f_port or f_cnt is out of range") }
    let payload: [UInt8]?
    switch uplink["frm_payload"]?.string {
    case nil: payload = nil
    case .some(let text):
      guard let bytes = Base64.decode(text) else { return unusable(.undecodable, "frm_payload is not base64") }
      payload = bytes
    }
    let receivedAt =
      uplink["received_at"].flatMap(instant) ?? root["received_at"].flatMap(instant) ?? arrivedAt
    guard believableAge.contains(arrivedAt - receivedAt) else {
      return unusable(.impossibleTime, "received_at is \(receivedAt)")
    }
    let (signal, snr) = bestReception(uplink["rx_metadata"])
    return .uplink(
      Uplink(
        scope: scope, arrivedAt: arrivedAt, receivedAt: receivedAt, devEUI: devEUI, deviceID: deviceID,
        applicationID: applicationID, model: bounded(uplink["version_ids"]?["model_id"]), port: UInt8(port),
        frameCounter: frameCounter, session: bounded(uplink["session_key_id"]), payload: payload,
        decoded: uplink["decoded_payload"], normalized: uplink["normalized_payload"], signalStrength: signal, snr: snr,
        simulated: root["simulated"]?.bool ?? false, isPart: root["uplink_message"] == nil))
  }

  static func bounded(_ value: JSONValue?) -> String? {
    guard let text = value?.string, (1...256).contains(text.utf8.count), !text.utf8.contains(0) else { return nil }
    return text
  }

  static func instant(_ value: JSONValue) -> Instant? { value.string.flatMap { Instant(rfc3339: $0) } }

  /// Absent is 0. Nil: there, and not such a number.
  static func integer(_ value: JSONValue?, _ range: ClosedRange<Int64>) -> Int64? {
    guard let value, !value.isNull else { return range.lowerBound }
    guard let number = value.int, range.contains(number) else { return nil }
    return number
  }

  static func bestReception(_ gateways: JSONValue?) -> (SignalStrength?, Double?) {
    var best: SignalStrength?
    var snr: Double?
    guard let gateways, gateways.kind == .array else { return (nil, nil) }
    for gateway in gateways.elements.prefix(64) {
      guard let power = gateway["rssi"]?.double ?? gateway["channel_rssi"]?.double,
        let signal = SignalStrength(dBm: power), best.map({ $0 < signal }) ?? true
      else { continue }
      best = signal
      snr = gateway["snr"]?.double ?? 0
    }
    return (best, snr.flatMap { (-100...100).contains($0) ? $0 : nil })
  }
}
