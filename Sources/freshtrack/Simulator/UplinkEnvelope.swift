import Basics

/// Writes uplinks as The Things Stack v3 posts them: every field of its JSON, in its order, zeros left out.
struct UplinkEnvelope {
  var applicationId = "freshtrack-demo"
  var gatewayId = "store-1-gateway"

  func write(_ frame: Frame, of sensor: SimulatedSensor, to bytes: inout [UInt8]) {
    let salt = Hex.encode(withUnsafeBytes(of: frame.salt.bigEndian) { Array($0) }).uppercased()
    let ticks = UInt32(truncatingIfNeeded: frame.time.microseconds)
    func put(_ text: StaticString) { text.withUTF8Buffer { bytes.append(contentsOf: $0) } }
    func fill(_ text: String) { bytes.append(contentsOf: text.utf8) }
    func time(_ instant: Instant) { bytes.append(nanosecondsOf: instant, salt: frame.salt) }

    put(#"{"end_device_ids":{"device_id":""#)
    fill(sensor.deviceId)
    put(#"","application_ids":{"application_id":""#)
    fill(applicationId)
    put(#""},"dev_eui":""#)
    fill(sensor.devEUI)
    put(#"","join_eui":"A000000000000101","dev_addr":""#)
    fill(sensor.deviceAddress)
    put(#""},"correlation_ids":["as:up:01KB"#)
    fill(salt)
    put(#"","gs:uplink:01KB"#)
    fill(salt)
    put(#"","ns:uplink:01KB"#)
    fill(salt)
    put(#"","rpc:/ttn.lorawan.v3.GsNs/HandleUplink:01KB"#)
    fill(salt)
    put(#""],"received_at":""#)
    time(frame.time + .milliseconds(207))
    put(#"","uplink_message":{"session_key_id":""#)
    fill(sensor.sessionKeyId)
    put(#"","f_port":"#)
    fill(String(sensor.model.port))
    if frame.counter > 0 {
      put(#","f_cnt":"#)
      fill(String(frame.counter))
    }
    put(#","frm_payload":""#)
    fill(Base64.encode(sensor.model.payload(of: frame.measurement)))
    put(#"","decoded_payload":{"#)
    sensor.model.appendDecoded(frame.measurement, to: &bytes)
    put(#"},"rx_metadata":[{"gateway_ids":{"gateway_id":""#)
    fill(gatewayId)
    put(#"","eui":"A840411EAB4D4150"},"time":""#)
    time(frame.time - .milliseconds(4))
    put(#"","timestamp":"#)
    fill(String(ticks))
    put(#","rssi":"#)
    fill(String(frame.rssi))
    put(#","channel_rssi":"#)
    fill(String(frame.rssi))
    put(#","snr":"#)
    bytes.append(decimal: frame.snrTenths, places: 1)
    put(#","location":{"latitude":41.0814,"longitude":-81.519,"altitude":300,"source":"SOURCE_REGISTRY"},"#)
    put(#""uplink_token":"CiYKJAoYc3RvcmUtMS1nYXRld2F5EghKhAQR6rTUFQEPrZ"#)
    fill(salt)
    put(#"","channel_index":3,"received_at":""#)
    time(frame.time - .milliseconds(2))
    put(#""}],"settings":{"data_rate":{"lora":{"bandwidth":125000,"spreading_factor":8,"coding_rate":"4/5"}},"#)
    put(#""frequency":"904300000","timestamp":"#)
    fill(String(ticks))
    put(#","time":""#)
    time(frame.time - .milliseconds(4))
    put(#""},"received_at":""#)
    time(frame.time)
    put(#"","confirmed":true,"consumed_airtime":"0.113152s","version_ids":{"brand_id":""#)
    fill(sensor.model.brand)
    put(#"","model_id":""#)
    fill(sensor.model.modelId)
    put(#"","hardware_version":"_unknown_hw_version_","firmware_version":"1.5","band_id":"US_902_928"},"#)
    put(#""network_ids":{"net_id":"000013","ns_id":"EC656E0000000182","tenant_id":"ttn","cluster_id":"nam1","#)
    put(#""cluster_address":"nam1.cloud.thethings.network"}}}"#)
  }
}

extension [UInt8] {
  /// RFC 3339 with nanoseconds, as The Things Stack writes times; the last three digits are made up.
  mutating func append(nanosecondsOf instant: Instant, salt: UInt64) {
    instant.appendRFC3339(to: &self)
    removeLast()
    append(threeDigits: Int(instant.microseconds % 1000))
    append(threeDigits: Int(salt % 1000))
    append(UInt8(ascii: "Z"))
  }

  mutating func append(threeDigits value: Int) {
    append(0x30 + UInt8(value / 100))
    append(0x30 + UInt8(value / 10 % 10))
    append(0x30 + UInt8(value % 10))
  }
}

extension Instant {
  /// With microseconds: what the database keeps.
  var rfc3339Microseconds: String {
    let text = rfc3339.dropLast()
    var digits: [UInt8] = []
    digits.append(threeDigits: Int(microseconds % 1000))
    return "\(text)\(String(decoding: digits, as: UTF8.self))Z"
  }
}
