import Basics
import ColdChain
import Devices
import Identity
import JSON

/// The kinds of messages of ChirpStack's HTTP integration, as its query names them.
enum ChirpStackEvent: String, CaseIterable { case up, join, status, ack, txack, log, location, integration }

extension NetworkMessage {
  /// Under which name an event is recorded on the device: that of The Things Stack where it has the same.
  private static func recordedType(_ event: ChirpStackEvent, _ root: JSONValue) -> String {
    switch event {
    case .up: "uplink_message"
    case .join: "join_accept"
    case .ack: root["acknowledged"]?.bool == true ? "downlink_ack" : "downlink_nack"
    case .txack: "downlink_sent"
    case .status: "device_status"
    case .log: "network_log"
    case .location: "location_solved"
    case .integration: "service_data"
    }
  }

  /// Reads a message of ChirpStack 4's HTTP integration ("Integrations", "Event types": JSON encoding). `event` is the kind
  /// from the query of the request; without it, the content tells an uplink. Zeros are left out by the sender.
  ///
  /// `time` is the same on every delivery of an uplink. There are no keys of sessions: the address of the device, which each
  /// join changes, stands for them.
  static func chirpStack(
    _ root: JSONValue, event: ChirpStackEvent?, _ scope: IngestScope, arrivedAt: Instant
  ) -> NetworkMessage {
    let info = root["deviceInfo"]
    let devEUI = info?["devEui"]?.string.flatMap { EUI64($0) }
    let deviceID = bounded(info?["deviceName"]) ?? devEUI?.description
    let applicationID = bounded(info?["applicationId"])
    func unusable(_ reason: QuarantineReason, _ detail: String) -> NetworkMessage {
      .unusable(reason: reason, detail: detail, devEUI: devEUI, deviceID: deviceID, applicationID: applicationID)
    }
    guard let devEUI, let deviceID else { return unusable(.malformed, "deviceInfo has no devEui") }
    let receivedAt = root["time"].flatMap(instant) ?? gatewayTime(root["rxInfo"])
    guard let event = event ?? (root["rxInfo"] != nil && root["txInfo"] != nil ? .up : nil) else {
      return unusable(.unknownType, "none of the events that this server knows")
    }
    guard event == .up else {
      return .deviceEvent(
        DeviceEvent(
          scope: scope, devEUI: devEUI, deviceID: deviceID, type: recordedType(event, root),
          occurredAt: receivedAt ?? arrivedAt, payload: Array(root.rawBytes)))
    }
    guard let port = integer(root["fPort"], 0...255), let frameCounter = integer(root["fCnt"], 0...4_294_967_295) else {
      return unusable(.malformed, "fPort or fCnt is out of range")
    }
    var payload: [UInt8]?
    if let text = root["data"]?.string {
      guard let bytes = Base64.decode(text) else { return unusable(.undecodable, "data is not base64") }
      payload = bytes
    }
    guard believableAge.contains(arrivedAt - (receivedAt ?? arrivedAt)) else {
      return unusable(.impossibleTime, "time is \(receivedAt ?? arrivedAt)")
    }
    let (signal, snr) = bestReception(root["rxInfo"])
    return .uplink(
      Uplink(
        scope: scope, arrivedAt: arrivedAt, receivedAt: receivedAt ?? arrivedAt, devEUI: devEUI, deviceID: deviceID,
        applicationID: applicationID ?? "", model: model(info), port: UInt8(port), frameCounter: frameCounter,
        session: bounded(root["devAddr"]), payload: payload, decoded: root["object"], normalized: nil,
        signalStrength: signal, snr: snr, simulated: false))
  }

  /// A tag `model`, or the name of the device's profile, where either is a model that there is a decoder for.
  private static func model(_ info: JSONValue?) -> String? {
    [bounded(info?["tags"]?["model"]), bounded(info?["deviceProfileName"])].compactMap(\.self).first {
      PayloadDecoder.named($0) != nil
    }
  }

  /// When the network server, or else a gateway, received it.
  private static func gatewayTime(_ receptions: JSONValue?) -> Instant? {
    guard let receptions, receptions.kind == .array else { return nil }
    for reception in receptions.elements.prefix(64) {
      if let time = (reception["nsTime"] ?? reception["gwTime"]).flatMap(instant) { return time }
    }
    return nil
  }
}
