import Basics
import Crypto
import Testing

@testable import Identity

@Suite struct ValueTests {
  @Test(arguments: [
    ("Joe's Diner", "joe-s-diner"), ("  A  B  ", "a-b"), ("寿司", "organization"), ("ACME 42!", "acme-42"),
  ])
  func `a slug is made of a name`(name: String, slug: String) {
    #expect(Slug(from: name).text == slug)
    #expect(Slug(slug) != nil)
  }

  @Test(arguments: ["", "-a", "a-", "A", "a b", "é", String(repeating: "a", count: 65)])
  func `what is no slug is refused`(text: String) { #expect(Slug(text) == nil) }

  @Test func `the longest slug has suggestions that are slugs`() throws {
    let slug = try #require(Slug(String(repeating: "a", count: 64)))
    for suggestion in slug.suggestions { #expect(Slug(suggestion) != nil) }
  }

  @Test func `a key that was made is read back`() throws {
    let (key, text) = APIKey.make()
    let read = try #require(APIKey(Array(text.utf8)[...]))
    #expect(read.keyId == key.keyId)
    #expect(read.secretHash == key.secretHash)
    #expect(!text.contains(Hex.encode(key.secretHash)))
  }

  @Test(arguments: ["", "ft_", "ft__secret", "ft_abc", "short"])
  func `what cannot be a key is none`(text: String) { #expect(APIKey(Array(text.utf8)[...]) == nil) }

  @Test func `a key of the earlier system is found by its hash`() throws {
    let key = try #require(APIKey(Array("ws_0123456789abcdef".utf8)[...]))
    #expect(key.keyId == "ws_" + Hex.encode(SHA256.hash("ws_0123456789abcdef".utf8).prefix(8)))
  }

  @Test func `a subject that is no UUID always gets the same one, of version 8`() throws {
    let id = try #require(Principal.userId(subject: "auth0|5f7c8ec7c33c6c004bbafe82"))
    #expect(id == Principal.userId(subject: "auth0|5f7c8ec7c33c6c004bbafe82"))
    #expect(id != Principal.userId(subject: "auth0|5f7c8ec7c33c6c004bbafe83"))
    #expect(id.description.dropFirst(14).first == "8")
    #expect(Principal.userId(subject: "") == nil)
  }

  @Test func `a role satisfies the roles below it`() {
    let order: [Role] = [.viewer, .staff, .manager, .admin, .owner]
    for (place, role) in order.enumerated() {
      for (other, minimum) in order.enumerated() { #expect(role.satisfies(minimum) == (place >= other)) }
    }
    #expect(Role.inspector.satisfies(.viewer))
    #expect(!Role.inspector.satisfies(.staff))
  }
}
