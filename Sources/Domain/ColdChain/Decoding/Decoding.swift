import Basics
import JSON

extension Measurements {
  /// What an uplink says, by the best witness there is: its bytes where the model is known, else the object that the
  /// network decoded, else its normalized form, else bytes that only one layout fits.
  ///
  /// The network's script is the customer's own and may be wrong, so it is not asked about a sensor that is known here.
  /// It is asked when that sensor's bytes do not fit its layout, since a firmware may be newer than this program.
  ///
  /// - Throws: ``DecodeFailure`` of the bytes when no witness says anything.
  public static func of(
    _ bytes: [UInt8], port: UInt8, model: String?, decoded: JSONValue? = nil, normalized: JSONValue? = nil,
    receivedAt: Instant
  ) throws(DecodeFailure) -> [Measurements] {
    var failure: DecodeFailure?
    if let model, PayloadDecoder.named(model) != nil, !bytes.isEmpty {
      do {
        return try PayloadDecoder.decode(bytes, port: port, model: model, receivedAt: receivedAt)
      } catch {
        failure = error
      }
    }
    if let decoded, let sample = FieldTable.measurements(from: decoded, model: model, receivedAt: receivedAt) {
      return [sample]
    }
    if let normalized {
      let samples = FieldTable.measurements(fromNormalized: normalized, receivedAt: receivedAt)
      if !samples.isEmpty { return samples }
    }
    if let failure { throw failure }
    return try PayloadDecoder.decode(bytes, port: port, model: nil, receivedAt: receivedAt)
  }
}
