import Basics
import JSON

extension Measurements {
  /// What an uplink says: the object that the network decoded where it has fields that are known, else its normalized form, else
  /// its bytes, by the decoder of its model or, without one, by the one layout that they fit. Bytes that hold samples of the
  /// sensor's memory come first: the scripts of networks know only the present.
  ///
  /// Empty when there is nothing to measure, such as an uplink that carries only MAC commands.
  ///
  /// - Throws: ``DecodeFailure`` when there is something, and no witness can read it.
  public static func of(
    _ bytes: [UInt8], port: UInt8, model: String?, decoded: JSONValue? = nil, normalized: JSONValue? = nil,
    receivedAt: Instant
  ) throws(DecodeFailure) -> [Measurements] {
    if PayloadDecoder.holdRecords(bytes, port: port, model: model, receivedAt: receivedAt),
      let samples = try? PayloadDecoder.decode(bytes, port: port, model: model, receivedAt: receivedAt)
    {
      return samples
    }
    if let decoded, let sample = FieldTable.measurements(from: decoded, model: model, receivedAt: receivedAt) {
      return [sample]
    }
    if let normalized {
      // A part of one frame that comes by itself: its bytes, where they can be read, say the whole.
      if decoded == nil, let model, PayloadDecoder.named(model) != nil,
        let samples = try? PayloadDecoder.decode(bytes, port: port, model: model, receivedAt: receivedAt),
        !samples.isEmpty
      {
        return samples
      }
      let samples = FieldTable.measurements(fromNormalized: normalized, receivedAt: receivedAt)
      if !samples.isEmpty { return samples }
    }
    if bytes.isEmpty {
      if decoded != nil || normalized != nil { throw .malformed("no field of the decoded payload is known") }
      return []
    }
    return try PayloadDecoder.decode(bytes, port: port, model: model, receivedAt: receivedAt)
  }
}
