import Basics
import JSON

/// Why a token is not believed.
public enum JWTError: Error, Hashable {
  case malformed(String)
  /// Its algorithm is not one of ``SignatureAlgorithm``, or not that of the key it names.
  case unsupportedAlgorithm(String)
  /// No key of the set fits; the set may be old. Nil when the token names none.
  case unknownKey(String?)
  case badSignature
  case expired
  case notYetValid
  case wrongIssuer
  case wrongAudience
}

/// A signed token in compact serialization (RFC 7515 section 7.1), read but not yet believed: only ``JWTVerifier`` looks at its claims.
public struct JWT: Sendable {
  public let keyID: String?
  public let type: String?
  /// As the header says it.
  public let algorithm: SignatureAlgorithm
  let signedBytes: ArraySlice<UInt8>
  let payload: [UInt8]
  let signature: [UInt8]

  public static let largest = 16 << 10

  /// Nothing of the token is believed here, so that nothing of it costs more than reading it.
  public init(_ compact: String) throws(JWTError) {
    let bytes = Array(compact.utf8)
    guard bytes.count <= JWT.largest else { throw .malformed("longer than \(JWT.largest) bytes") }
    let parts = bytes.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 3 else { throw .malformed("not three parts") }
    guard let header = Base64.decode(parts[0], as: .url), let payload = Base64.decode(parts[1], as: .url),
      let signature = Base64.decode(parts[2], as: .url)
    else { throw .malformed("not base64url") }
    let limits = JSONLimits(bytes: JWT.largest, depth: 8)
    guard let fields = try? JSONDocument(header, limits: limits).root, fields.kind == .object else {
      throw .malformed("the header is no JSON object")
    }
    guard let name = fields["alg"]?.string else { throw .malformed("the header names no alg") }
    guard let algorithm = SignatureAlgorithm(rawValue: name) else {
      throw .unsupportedAlgorithm(String(name.unicodeScalars.prefix(32)))
    }
    // RFC 7515 section 4.1.11: what is critical and not understood must be refused, and nothing is understood here.
    guard fields["crit"] == nil, fields["b64"] == nil else { throw .malformed("the header has critical extensions") }
    keyID = try JWT.text(fields["kid"], "kid")
    type = try JWT.text(fields["typ"], "typ")
    self.algorithm = algorithm
    self.payload = payload
    self.signature = signature
    signedBytes = bytes[..<(parts[1].endIndex)]
  }

  private static func text(_ value: JSONValue?, _ name: String) throws(JWTError) -> String? {
    guard let value else { return nil }
    guard let text = value.string, text.utf8.count <= 256 else { throw .malformed("the \(name) is no short string") }
    return text
  }

  /// Makes a token of `claims`, a JSON object, signed with ES256.
  public static func sign(claims: [UInt8], with key: PrivateKey, kid: String? = nil) throws(KeyError) -> String {
    let header = JSONWriter.bytes { writer in
      writer.object {
        $0.field("alg", SignatureAlgorithm.es256.rawValue)
        $0.field("kid", kid ?? key.keyID)
        $0.field("typ", "JWT")
      }
    }
    let signed = Base64.encode(header, as: .url) + "." + Base64.encode(claims, as: .url)
    return signed + "." + Base64.encode(try key.sign(Array(signed.utf8)), as: .url)
  }
}
