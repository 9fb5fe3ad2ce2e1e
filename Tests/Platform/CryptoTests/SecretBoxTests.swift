import Basics
import Testing

@testable import Crypto

struct SecretBoxTests {
  private let old = SecureRandom.bytes(32)
  private let new = SecureRandom.bytes(32)
  private let secret = Array("KEY0123456789".utf8)

  @Test func `what was sealed opens, and holds nothing of the secret`() throws {
    let box = try #require(SecretBox(keys: [old]))
    let sealed = box.seal(secret, context: "a")
    #expect(box.open(sealed, context: "a") == secret)
    #expect(sealed.firstRange(of: secret) == nil)
    #expect(box.seal(secret, context: "a") != sealed)
    #expect(box.open(box.seal([], context: ""), context: "") == [])
  }

  @Test func `a secret opens only where it belongs`() throws {
    let box = try #require(SecretBox(keys: [old]))
    #expect(box.open(box.seal(secret, context: "a"), context: "b") == nil)
  }

  @Test func `a new key opens what the old one sealed, and seals by itself`() throws {
    let before = try #require(SecretBox(keys: [old]))
    let during = try #require(SecretBox(keys: [new, old]))
    let after = try #require(SecretBox(keys: [new]))
    let sealed = before.seal(secret, context: "a")
    #expect(during.open(sealed, context: "a") == secret)
    #expect(!during.isCurrent(sealed))
    #expect(after.open(sealed, context: "a") == nil)
    let again = during.seal(secret, context: "a")
    #expect(during.isCurrent(again))
    #expect(after.open(again, context: "a") == secret)
    #expect(before.open(again, context: "a") == nil)
  }

  @Test func `any changed byte is noticed`() throws {
    let box = try #require(SecretBox(keys: [old]))
    let sealed = box.seal(secret, context: "a")
    for place in sealed.indices {
      var changed = sealed
      changed[place] ^= 1
      #expect(box.open(changed, context: "a") == nil)
    }
    for length in 0..<sealed.count { #expect(box.open(Array(sealed.prefix(length)), context: "a") == nil) }
  }

  @Test func `keys of another length, or none, make no box`() {
    #expect(SecretBox(keys: []) == nil)
    #expect(SecretBox(keys: [old, Array(new.dropLast())]) == nil)
  }
}
