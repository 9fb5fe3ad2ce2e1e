import Basics
import JSON
import Testing

@testable import Crypto

@Suite struct KeyTests {
  static let signed = [
    (Vectors.rsaKey, Vectors.rsaToken), (Vectors.ecKey, Vectors.ecToken), (Vectors.edKey, Vectors.edToken),
  ]

  @Test("the signatures of the RFCs hold, and no other", arguments: signed) func vectors(_ jwk: String, _ token: String)
    throws
  {
    let key = try Vectors.key(jwk)
    let (message, signature) = try Vectors.parts(token)
    #expect(key.isValid(signature, of: message))
    for place in signature.indices {
      var changed = signature
      changed[place] ^= 0x01
      #expect(!key.isValid(changed, of: message))
      #expect(!key.isValid(Array(signature[..<place]), of: message))
    }
    #expect(!key.isValid(signature + [0], of: message))
    #expect(!key.isValid([0] + signature, of: message))
    #expect(!key.isValid(signature, of: message + [0]))
    #expect(!key.isValid(signature, of: []))
  }

  @Test("a key of another kind does not check it", arguments: signed) func otherKeys(_ jwk: String, _ token: String)
    throws
  {
    let (message, signature) = try Vectors.parts(token)
    for (other, _) in Self.signed where other != jwk {
      #expect(try !Vectors.key(other).isValid(signature, of: message))
    }
    #expect(try !PrivateKey.generate().publicKey.isValid(signature, of: message))
  }

  @Test("ECDSA signatures of nothing are refused: zero, the order, DER") func degenerate() throws {
    let key = try Vectors.key(Vectors.ecKey)
    let (message, signature) = try Vectors.parts(Vectors.ecToken)
    let order = try #require(Hex.decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"))
    let zero = [UInt8](repeating: 0, count: 32)
    let one = [UInt8](repeating: 0, count: 31) + [1]
    for r in [zero, one, order, [UInt8](repeating: 0xFF, count: 32)] {
      for s in [zero, one, order, [UInt8](repeating: 0xFF, count: 32)] { #expect(!key.isValid(r + s, of: message)) }
    }
    let der = try #require(ECDSASignature.der(fromRaw: signature))
    #expect(!key.isValid(der, of: message))
    #expect(ECDSASignature.raw(fromDER: der) == signature)
  }

  @Test(
    "both ways to write a signature say the same",
    arguments: [
      [UInt8](repeating: 0, count: 64), [UInt8](repeating: 0xFF, count: 64),
      [UInt8](repeating: 0, count: 31) + [1] + [0x80]
        + [UInt8](repeating: 0, count: 31),
    ]) func signatureForms(_ raw: [UInt8]) throws
  {
    let der = try #require(ECDSASignature.der(fromRaw: raw))
    #expect(ECDSASignature.raw(fromDER: der) == raw)
    for length in 0..<der.count { #expect(ECDSASignature.raw(fromDER: Array(der[..<length])) == nil) }
    #expect(ECDSASignature.raw(fromDER: der + [0]) == nil)
  }

  @Test(
    "keys that must not be used are refused with a reason",
    arguments: [
      (#"{}"#, "no kty"),
      (#"{"kty":"oct","k":"AAAA"}"#, "a kty other than EC, RSA and OKP"),
      (#"{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}"#, "a curve other than P-256"),
      (#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}"#, "no y in base64url"),
      (#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=","y":"AA"}"#, "no x in base64url"),
      (
        #"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}"#,
        "not a point of the curve"
      ),
      (
        #"{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
        "not a point of the curve"
      ),
      (#"{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}"#, "coordinates of other than 32 bytes"),
      (
        #"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#, "a curve other than Ed25519"
      ),
      (
        #"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcH"}"#,
        "a point of other than 32 bytes"
      ),
      (#"{"kty":"RSA","e":"AQAB","n":"AQAB"}"#, "a modulus of other than 2048 to 8192 bits"),
      (#"{"kty":"RSA","n":"AQAB"}"#, "no e in base64url"),
    ]) func refused(_ jwk: String, _ reason: String)
  {
    #expect(throws: KeyError(reason: reason)) { try Vectors.key(jwk) }
  }

  @Test("an RSA exponent of 0, 1, 2 or of any length is none", arguments: ["AA", "AQ", "Ag", "AAAAAQ", "AQAAAAAAAAAB"])
  func exponents(_ exponent: String) {
    #expect(throws: KeyError(reason: "no RSA key")) {
      try Vectors.key(Vectors.rsaKey.replacing(#""e":"AQAB""#, with: #""e":"\#(exponent)""#))
    }
  }

  @Test(
    "use, key_ops and alg are obeyed",
    arguments: [
      (#""use":"sig""#, true), (#""use":"enc""#, false), (#""key_ops":["verify"]"#, true),
      (#""key_ops":["encrypt"]"#, false),
      (#""alg":"ES256""#, true), (#""alg":"RS256""#, false), (#""alg":"HS256""#, false), (#""alg":7"#, false),
      (#""d":"AAAA""#, false),
    ]) func purposes(_ member: String, _ usable: Bool)
  {
    let jwk = Vectors.ecKey.dropLast() + "," + member + "}"
    let key = try? Vectors.key(String(jwk))
    #expect((key != nil) == usable)
  }

  @Test("a made key signs, travels and comes back the same") func privateKeys() throws {
    let key = try PrivateKey.generate()
    let message = Array("hello".utf8)
    let signature = try key.sign(message)
    #expect(signature.count == 64)
    let back = try PrivateKey(pkcs8: key.pkcs8)
    #expect(back.keyID == key.keyID)
    #expect(back.publicKey.isValid(signature, of: message))
    let set = try JWKSet(key.jwks)
    #expect(set.count == 1 && set.contains(keyID: key.keyID))
    #expect(try PrivateKey.generate().keyID != key.keyID)
  }

  @Test("bytes that are no P-256 key in PKCS #8 are refused") func badPrivateKeys() throws {
    let der = try PrivateKey.generate().pkcs8
    #expect(throws: KeyError.self) { try PrivateKey(pkcs8: []) }
    #expect(throws: KeyError.self) { try PrivateKey(pkcs8: der + [0]) }
    for length in 0..<der.count { #expect(throws: KeyError.self) { try PrivateKey(pkcs8: Array(der[..<length])) } }
    // Ed25519, RFC 8410 section 10.3.
    let other = try #require(
      Hex.decode("302e020100300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842"))
    #expect(throws: KeyError(reason: "a key of another kind than P-256")) { try PrivateKey(pkcs8: other) }
  }
}
