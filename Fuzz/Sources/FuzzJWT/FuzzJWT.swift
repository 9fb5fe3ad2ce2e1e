import Basics
import Crypto
import Fuzzing
import JSON

private let now = Instant(seconds: 1_767_598_200)
private let verifier = JWTVerifier(issuer: "https://id.example", audience: "freshtrack")

/// RFC 7515 appendix A.2 and A.3, RFC 8037 appendix A.
private let published =
  #"{"keys":[{"kty":"RSA","kid":"rsa","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHm"#
  + "fHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf6"
  + "3kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX"
  + #"FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},{"kty":"EC","kid":"ec","crv":"P-256","#
  + #""x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},"#
  + #"{"kty":"OKP","kid":"ed","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#

private struct Keys {
  let others: JWKSet
  let own: PrivateKey
  let ownSet: JWKSet
  let token: String
}

private let keys: Keys = {
  do {
    let own = try PrivateKey.generate()
    let claims = #"{"iss":"https://id.example","aud":"freshtrack","sub":"user-1","exp":1767598500}"#
    return Keys(
      others: try JWKSet(Array(published.utf8)), own: own, ownSet: JWKSet(own),
      token: try JWT.sign(claims: Array(claims.utf8), with: own))
  } catch {
    fatalError("\(error)")
  }
}()

/// The input as a token, as a key set, as claims with a good signature, and as a change to a good token.
@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = bytes(start, count)
  let text = String(decoding: input, as: UTF8.self)
  if let claims = try? verifier.verify(text, with: keys.others, now: now) {
    // Nobody here has the private keys, and no token of the RFCs has these claims.
    fatalError("a forged token of \(claims.subject) is believed")
  }
  if let set = try? JWKSet(input) {
    check(set.count <= JWKSet.mostKeys, "\(set.count) keys")
    if let token = try? JWT(keys.token) { _ = try? set.key(for: token) }
  }
  change(input)
  guard (try? JSONDocument(input)) != nil, let token = try? JWT.sign(claims: input, with: keys.own) else { return 0 }
  do throws(JWTError) {
    let claims = try verifier.verify(token, with: keys.ownSet, now: now)
    check((1...255).contains(claims.subject.unicodeScalars.count), "a subject of \(claims.subject.count)")
    check(claims.all["iss"]?.string == "https://id.example", "another issuer")
    check(claims.expiresAt + verifier.leeway > now, "expired")
  } catch {
    check(error != .badSignature, "our own signature is not believed")
  }
  return 0
}

@_cdecl("FuzzJWT_main")
public func start(_ count: CInt, _ arguments: Arguments?) -> CInt { fuzz(count, arguments, test) }

/// Puts the input's bytes over those of a good token, from the place that its first two bytes name.
private func change(_ input: [UInt8]) {
  guard input.count > 2 else { return }
  var token = Array(keys.token.utf8)
  let place = (Int(input[0]) << 8 | Int(input[1])) % token.count
  for (offset, byte) in input[2...].enumerated() where place + offset < token.count { token[place + offset] = byte }
  let text = String(decoding: token, as: UTF8.self)
  let isBelieved = (try? verifier.verify(text, with: keys.ownSet, now: now)) != nil
  check(isBelieved == (text == keys.token), "a changed token is believed: \(text)")
}
