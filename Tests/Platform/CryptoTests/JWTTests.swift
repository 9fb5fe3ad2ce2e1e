import Basics
import Crypto
import JSON
import Testing

@Suite struct JWTTests {
  static let now = Instant(seconds: 1_767_598_200)
  static let verifier = JWTVerifier(issuer: "https://id.example", audience: "freshtrack")

  static func claims(_ change: (inout [String: String?]) -> Void = { _ in }) -> [UInt8] {
    var members: [String: String?] = [
      "iss": #""https://id.example""#, "aud": #""freshtrack""#, "sub": #""user-1""#, "exp": "1767598500",
      "iat": "1767598100",
    ]
    change(&members)
    let text = members.compactMap { name, value in value.map { "\"\(name)\":\($0)" } }.joined(separator: ",")
    return Array("{\(text)}".utf8)
  }

  private let key: PrivateKey
  private let keys: JWKSet

  init() throws {
    key = try PrivateKey.generate()
    keys = JWKSet(key)
  }

  /// A token with a header of our choice, signed properly.
  private func token(header: String, claims: [UInt8] = claims()) throws -> String {
    let signed = Vectors.encode(header) + "." + Base64.encode(claims, as: .url)
    return signed + "." + Base64.encode(try key.sign(Array(signed.utf8)), as: .url)
  }

  private func verdict(_ token: String, _ keys: JWKSet? = nil, now: Instant = now) -> JWTError? {
    do { _ = try Self.verifier.verify(token, with: keys ?? self.keys, now: now) } catch { return error }
    return nil
  }

  private func verdict(_ change: (inout [String: String?]) -> Void) throws -> JWTError? {
    verdict(try JWT.sign(claims: Self.claims(change), with: key))
  }

  @Test("a token that we make is believed") func believed() throws {
    let token = try JWT.sign(
      claims: Self.claims {
        $0["email"] = #""ada@example.com""#
        $0["name"] = #""Ada""#
        $0["role"] = #""owner""#
      }, with: key)
    let claims = try Self.verifier.verify(token, with: keys, now: Self.now)
    #expect(claims.subject == "user-1")
    #expect(claims.email == "ada@example.com")
    #expect(claims.name == "Ada")
    #expect(claims.expiresAt == Instant(seconds: 1_767_598_500))
    #expect(claims.all["role"]?.string == "owner")
  }

  @Test(
    "the tokens of RFC 7515 are read to their claims",
    arguments: [
      (Vectors.rsaKey, Vectors.rsaToken), (Vectors.ecKey, Vectors.ecToken),
    ]) func vectors(_ jwk: String, _ token: String) throws
  {
    let keys = try Vectors.set(jwk)
    let verifier = JWTVerifier(issuer: "joe", audience: nil)
    // They have no subject, which is the last thing asked for.
    #expect(throws: JWTError.malformed("no usable sub")) {
      try verifier.verify(token, with: keys, now: Instant(seconds: 1_300_819_000))
    }
    #expect(throws: JWTError.expired) { try verifier.verify(token, with: keys, now: Self.now) }
    #expect(throws: JWTError.malformed("the claims are no JSON object")) {
      try verifier.verify(Vectors.edToken, with: Vectors.set(Vectors.edKey), now: Self.now)
    }
  }

  @Test(
    "time counts, give or take the leeway",
    arguments: [
      ("exp", 1_767_598_171, nil), ("exp", 1_767_598_170, .expired), ("nbf", 1_767_598_230, nil),
      ("nbf", 1_767_598_231, .notYetValid), ("iat", 1_767_598_230, nil), ("iat", 1_767_598_231, .notYetValid),
    ] as [(String, Int, JWTError?)]) func times(_ name: String, _ seconds: Int, _ expected: JWTError?) throws
  {
    #expect(try verdict { $0[name] = "\(seconds)" } == expected)
  }

  @Test(
    "claims that are missing or of the wrong kind are refused",
    arguments: [
      ("exp", nil, .malformed("no exp")), ("exp", "\"1767598500\"", .malformed("the exp is no date")),
      ("exp", "1e30", .malformed("the exp is no date")), ("exp", "-1", .malformed("the exp is no date")),
      ("exp", "null", .malformed("the exp is no date")), ("exp", "1767598500.5", nil),
      ("nbf", "true", .malformed("the nbf is no date")),
      ("iss", nil, .wrongIssuer), ("iss", "\"https://id.example/\"", .wrongIssuer),
      ("iss", "[\"https://id.example\"]", .wrongIssuer),
      ("aud", nil, .wrongAudience), ("aud", "\"other\"", .wrongAudience), ("aud", "[\"other\",\"freshtrack\"]", nil),
      ("aud", "[]", .wrongAudience), ("aud", "{\"freshtrack\":1}", .wrongAudience),
      ("aud", "[[\"freshtrack\"]]", .wrongAudience),
      ("sub", nil, .malformed("no usable sub")), ("sub", "\"\"", .malformed("no usable sub")),
      ("sub", "7", .malformed("no usable sub")), ("sub", #""a\u0000""#, .malformed("no usable sub")),
    ] as [(String, String?, JWTError?)]) func claimKinds(_ name: String, _ value: String?, _ expected: JWTError?) throws
  {
    #expect(try verdict { $0[name] = .some(value) } == expected)
  }

  @Test("equal names in the claims are refused") func duplicateClaims() throws {
    let claims = Array(#"{"sub":"user-1","sub":"user-2","exp":1767598500}"#.utf8)
    #expect(verdict(try JWT.sign(claims: claims, with: key)) == .malformed("the claims are no JSON object"))
  }

  @Test(
    "neither none nor a symmetric algorithm is ever believed",
    arguments: [
      "none", "None", "NONE", "", "HS256", "HS384", "HS512", "ES384", "ES512", "RS384", "RS512", "PS256", "es256",
      "RSA-OAEP",
    ]) func algorithms(_ name: String) throws
  {
    let header = #"{"alg":"\#(name)","kid":"\#(key.keyID)"}"#
    #expect(verdict(try token(header: header)) == .unsupportedAlgorithm(name))
    let unsigned = Vectors.encode(header) + "." + Base64.encode(Self.claims(), as: .url) + "."
    #expect(verdict(unsigned) == .unsupportedAlgorithm(name))
  }

  @Test("a public key is no HMAC secret") func confusion() throws {
    let signed =
      Vectors.encode(#"{"alg":"HS256","kid":"\#(key.keyID)"}"#) + "." + Base64.encode(Self.claims(), as: .url)
    let code = HMAC.sha256(key: key.jwks, message: Array(signed.utf8))
    #expect(verdict(signed + "." + Base64.encode(code, as: .url)) == .unsupportedAlgorithm("HS256"))
    #expect(verdict(Vectors.hmacToken) == .unsupportedAlgorithm("HS256"))
  }

  @Test("the algorithm is that of the key that the token names") func algorithmOfKey() throws {
    let rsa = #"{"kid":"\#(key.keyID)","# + Vectors.rsaKey.dropFirst()
    let token = try JWT.sign(claims: Self.claims(), with: key)
    #expect(verdict(token, try Vectors.set(rsa)) == .unsupportedAlgorithm("ES256"))
    let renamed = try self.token(header: #"{"alg":"RS256","kid":"\#(key.keyID)"}"#)
    #expect(verdict(renamed) == .unsupportedAlgorithm("RS256"))
  }

  @Test(
    "a kid names a key of the set or nothing",
    arguments: [
      "other", "", "../../etc/passwd", "' OR 1=1 --", "https://evil.example/jwks.json",
    ]) func keyIDs(_ kid: String) throws
  {
    #expect(verdict(try JWT.sign(claims: Self.claims(), with: key, kid: kid)) == .unknownKey(kid))
  }

  @Test(
    "a kid that is no short string is refused",
    arguments: ["7", "null", "[\"a\"]", "\"\(String(repeating: "k", count: 257))\""])
  func badKeyIDs(_ kid: String) throws {
    #expect(verdict(try token(header: #"{"alg":"ES256","kid":\#(kid)}"#)) == .malformed("the kid is no short string"))
  }

  @Test("without a kid, the one fitting key is taken; of two, none") func noKeyID() throws {
    let plain = try token(header: #"{"alg":"ES256"}"#)
    let ours = String(decoding: JSONWriter.bytes { key.writeJWK(to: &$0) }, as: UTF8.self)
    #expect(verdict(plain) == nil)
    #expect(verdict(plain, try Vectors.set(ours, Vectors.rsaKey)) == nil)
    #expect(verdict(plain, try Vectors.set(ours, Vectors.ecKey)) == .unknownKey(nil))
    #expect(verdict(plain, try Vectors.set()) == .unknownKey(nil))
    #expect(
      verdict(try JWT.sign(claims: Self.claims(), with: key), try Vectors.set(ours, ours)) == .unknownKey(key.keyID))
  }

  @Test("keys that the header brings along are not looked at") func embeddedKeys() throws {
    let stranger = try PrivateKey.generate()
    let jwk = String(decoding: JSONWriter.bytes { stranger.writeJWK(to: &$0) }, as: UTF8.self)
    let signed =
      Vectors.encode(#"{"alg":"ES256","kid":"\#(key.keyID)","jwk":\#(jwk)}"#) + "."
      + Base64.encode(Self.claims(), as: .url)
    let token = signed + "." + Base64.encode(try stranger.sign(Array(signed.utf8)), as: .url)
    #expect(verdict(token) == .badSignature)
  }

  @Test(
    "a header that says too little or too much is refused",
    arguments: [
      (#"{"kid":"a"}"#, "the header names no alg"), (#"{"alg":7}"#, "the header names no alg"),
      (#"{"alg":"ES256","crit":["exp"]}"#, "the header has critical extensions"),
      (#"{"alg":"ES256","crit":[]}"#, "the header has critical extensions"),
      (#"{"alg":"ES256","b64":false}"#, "the header has critical extensions"),
      (#"{"alg":"ES256","alg":"none"}"#, "the header is no JSON object"),
      (#"["ES256"]"#, "the header is no JSON object"),
      (#"{"alg":"ES256"} x"#, "the header is no JSON object"), ("", "the header is no JSON object"),
      (#"{"alg":"ES256","typ":"JOSE+JSON"}"#, "a typ other than JWT"),
      (#"{"alg":"ES256","typ":1}"#, "the typ is no short string"),
    ]) func headers(_ header: String, _ reason: String) throws
  {
    #expect(verdict(try token(header: header)) == .malformed(reason))
  }

  @Test("a token in another form is refused") func forms() throws {
    let token = try JWT.sign(claims: Self.claims(), with: key)
    let parts = token.split(separator: ".").map(String.init)
    #expect(verdict("") == .malformed("not three parts"))
    #expect(verdict(parts[0] + "." + parts[1]) == .malformed("not three parts"))
    #expect(verdict(token + ".") == .malformed("not three parts"))
    #expect(verdict(token + "." + parts[2] + "." + parts[2]) == .malformed("not three parts"))
    #expect(verdict(token + "==") == .malformed("not base64url"))
    #expect(verdict(" " + token) == .malformed("not base64url"))
    #expect(verdict(token + "\n") == .malformed("not base64url"))
    #expect(verdict(token.replacingOccurrence(of: parts[1], with: parts[1] + "=")) == .malformed("not base64url"))
    #expect(verdict(token + String(repeating: "A", count: JWT.largest)) == .malformed("longer than 16384 bytes"))
    #expect(verdict(parts[0] + "." + parts[1] + ".") == .badSignature)
  }

  @Test("no changed character of a token goes unnoticed") func changes() throws {
    let token = Array(try JWT.sign(claims: Self.claims(), with: key).utf8)
    for place in token.indices {
      var changed = token
      changed[place] = changed[place] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
      #expect(verdict(String(decoding: changed, as: UTF8.self)) != nil)
      #expect(verdict(String(decoding: token[..<place], as: UTF8.self)) != nil)
    }
  }

  @Test("a set keeps what it can use and refuses what is no set") func sets() throws {
    let set = try Vectors.set(
      Vectors.rsaKey, #"{"kty":"oct","k":"AA"}"#, Vectors.edKey, "7", #"{"kid":7,"# + Vectors.ecKey.dropFirst())
    #expect(set.count == 2)
    #expect(throws: KeyError.self) { try JWKSet(Array("[]".utf8)) }
    #expect(throws: KeyError.self) { try JWKSet(Array("{\"keys\":{}}".utf8)) }
    #expect(throws: KeyError.self) { try JWKSet(Array("{".utf8)) }
    let many = "{\"keys\":[" + Array(repeating: "{}", count: 65).joined(separator: ",") + "]}"
    #expect(throws: KeyError(reason: "more than 64 keys")) { try JWKSet(Array(many.utf8)) }
  }
}

extension String {
  fileprivate func replacingOccurrence(of part: String, with other: String) -> String {
    split(separator: ".", omittingEmptySubsequences: false).map { $0 == part ? other : String($0) }.joined(
      separator: ".")
  }
}
