import Basics

/// Why a payload could not be decoded. The uplink is kept all the same.
public enum DecodeFailure: Error, Hashable, Sendable {
  /// No decoder for the model, and the bytes alone do not tell.
  case unknownModel
  case unknownPort(UInt8)
  /// Fewer or more bytes than the model's layout has.
  case wrongLength(Int)
  /// The bytes contradict the layout; what is wrong with them.
  case malformed(String)
}

/// How the payloads of one family of sensors are read. A new family is a file with one of these, a line in ``all``, and
/// vectors.
public struct PayloadDecoder: Sendable {
  public let brand: String
  /// Lower-case model ids as The Things Stack's device repository writes them.
  public let models: [String]
  public let chemistry: BatteryChemistry?
  /// How often the sensor reports when nobody has configured it.
  public let reportingInterval: Duration
  /// Whether the bytes hold samples of the sensor's memory. Scripts of networks take those for the present, or leave them out.
  let holdsRecords: @Sendable (Payload) -> Bool
  let read: @Sendable (Payload) throws(DecodeFailure) -> [Measurements]

  init(
    brand: String, models: [String], chemistry: BatteryChemistry?, reportingInterval: Duration,
    holdsRecords: @escaping @Sendable (Payload) -> Bool = { _ in false },
    read: @escaping @Sendable (Payload) throws(DecodeFailure) -> [Measurements]
  ) {
    self.brand = brand
    self.models = models
    self.chemistry = chemistry
    self.reportingInterval = reportingInterval
    self.holdsRecords = holdsRecords
    self.read = read
  }

  public static let all: [PayloadDecoder] = [
    .draginoLHT65, .draginoLHT52, .draginoLDS02, .draginoLDS03, .draginoLSN50, .milesight, .elsys, .netvoxTemperature,
    .netvoxContact, .cayenne,
  ]

  /// The decoder of a model: the id of the device repository (`lht65n`), with its brand before it (`dragino-lht65n`),
  /// or with a variant behind it (`em300-th-868m`), in any case. Nil: unknown.
  public static func named(_ model: String) -> PayloadDecoder? {
    if let decoder = byModel[model] { return decoder }
    let dash = UInt8(ascii: "-")
    var name = model.utf8.map { byte -> UInt8 in
      byte == UInt8(ascii: " ") || byte == UInt8(ascii: "_") ? dash : ASCII.lowercased(byte)
    }[...]
    if let brand = brands.first(where: { name.starts(with: $0) }) { name = name.dropFirst(brand.count) }
    while !name.isEmpty {
      if let decoder = byModel[String(decoding: name, as: UTF8.self)] { return decoder }
      name = name.prefix(upTo: name.lastIndex(of: dash) ?? name.startIndex)
    }
    return nil
  }

  private static let brands = Set(all.map(\.brand)).map { Array("\($0)-".utf8) }

  private static let byModel: [String: PayloadDecoder] = {
    var table: [String: PayloadDecoder] = [:]
    for decoder in all { for model in decoder.models { table[model] = decoder } }
    return table
  }()

  /// Reads `frm_payload`. Empty when the uplink holds no measurement, such as an answer "no data in that range".
  ///
  /// - Parameters:
  ///   - model: the model id of the uplink's version_ids or of our device. Nil: only layouts that no other sensor
  ///     shares are tried.
  ///   - receivedAt: when the network received it; the sensor's own times are judged by it.
  public static func decode(
    _ bytes: [UInt8], port: UInt8, model: String?, receivedAt: Instant
  ) throws(DecodeFailure) -> [Measurements] {
    let known = model.flatMap { Self.named($0) }
    guard let decoder = known ?? inferred(bytes, port: port) else { throw DecodeFailure.unknownModel }
    let payload = Payload(bytes: bytes, port: port, model: model?.lowercased() ?? "", receivedAt: receivedAt)
    return try decoder.read(payload)
  }

  /// Whether the bytes hold samples of the sensor's memory, as far as the model is known.
  static func holdRecords(_ bytes: [UInt8], port: UInt8, model: String?, receivedAt: Instant) -> Bool {
    guard let model, !bytes.isEmpty, let decoder = named(model) else { return false }
    return decoder.holdsRecords(Payload(bytes: bytes, port: port, model: model.lowercased(), receivedAt: receivedAt))
  }

  /// The decoder that alone fits these bytes on this port.
  private static func inferred(_ bytes: [UInt8], port: UInt8) -> PayloadDecoder? {
    switch port {
    case 6 where bytes.count == 11 && bytes[0] == 1:
      if bytes[1] == 0x01 || bytes[1] == 0x0B { return netvoxTemperature }
      return bytes[1] == 0x02 ? netvoxContact : nil
    case 10 where bytes.count == 10 && (1...3).contains(bytes[2]): return draginoLDS02
    case 85 where Milesight.looksFamiliar(bytes): return milesight
    default: return nil
    }
  }
}

/// The bytes of one uplink and what is known about them. Reads past the end are nil.
struct Payload {
  var bytes: [UInt8]
  var port: UInt8
  var model: String
  var receivedAt: Instant

  var count: Int { bytes.count }

  func u8(_ index: Int) -> Int64 { index < bytes.count ? Int64(bytes[index]) : 0 }

  // Big-endian, as all but Milesight send.
  func u16(_ index: Int) -> Int64 { u8(index) << 8 | u8(index + 1) }
  func u24(_ index: Int) -> Int64 { u16(index) << 8 | u8(index + 2) }
  func u32(_ index: Int) -> Int64 { u16(index) << 16 | u16(index + 2) }
  func i16(_ index: Int) -> Int64 { Int64(Int16(truncatingIfNeeded: u16(index))) }

  func u16le(_ index: Int) -> Int64 { u8(index + 1) << 8 | u8(index) }
  func u32le(_ index: Int) -> Int64 { u16le(index + 2) << 16 | u16le(index) }
  func i16le(_ index: Int) -> Int64 { Int64(Int16(truncatingIfNeeded: u16le(index))) }

  func time(_ index: Int) -> Instant { Instant(seconds: u32(index)) }

  func need(_ count: Int) throws(DecodeFailure) {
    guard bytes.count >= count else { throw .wrongLength(bytes.count) }
  }
}

extension Voltage {
  init?(_ millivolts: Int64) {
    guard let value = Int32(exactly: millivolts) else { return nil }
    self.init(millivolts: value)
  }
}
