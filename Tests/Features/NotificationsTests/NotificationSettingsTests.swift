import Crypto
import FeatureSupport
import Identity
import JSON
import Testing

@testable import Notifications

@Suite(.serialized) struct NotificationSettingsTests {
  @Test func `without a decision the defaults hold, and a change is kept`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let path = organization.path + "/notification-settings"
    let before = try await house.call(.get, path, as: organization.owner)
    #expect(before.status == 200, "\(before)")
    #expect(before.json["emailEnabled"]?.bool == true)
    #expect(before.json["notifyOffline"]?.bool == false)
    #expect(before.json["recipients"]?.count == 0)
    for body in [#"{"recipients":["a@b.de","c@d.de"],"notifyOffline":true}"#, #"{"notifyWarnings":true}"#] {
      #expect(try await house.call(.put, path, as: organization.owner, body).status == 200)
    }
    let after = try await house.call(.get, path, as: organization.owner)
    #expect(after.json["recipients"]?.count == 2)
    #expect(after.json["notifyOffline"]?.bool == true)
    #expect(after.json["notifyWarnings"]?.bool == true)
    #expect(after.json["notifyTempExcursion"]?.bool == true)
    #expect(after.json["updatedAt"]?.string != nil)
    let other = try await house.organization()
    let theirs = try await house.call(.get, other.path + "/notification-settings", as: other.owner)
    #expect(theirs.json["recipients"]?.count == 0)
  }

  @Test func `a recipient that no server would take is named, and only admins change settings`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let path = organization.path + "/notification-settings"
    let refused = try await house.call(.put, path, as: organization.owner, #"{"recipients":["a@b.de","nobody"]}"#)
    #expect(refused.badFields == ["recipients/1"])
    let manager = try await house.member(.manager, of: organization.id)
    #expect(try await house.call(.put, path, as: manager, #"{"notifyOffline":true}"#).status == 403)
    #expect(try await house.call(.get, path, as: manager).status == 200)
  }
}

@Suite(.serialized) struct SMSConfigTests {
  private static let secret = "KEY0123456789ABCDEF_abcdefghijkl"
  private static let body =
    #"{"telnyxApiKey":"\#(secret)","telnyxPhoneNumber":"+12025550143","telnyxMessagingProfileId":"p1"}"#
  private static let key = [UInt8](repeating: 7, count: 32)

  /// A house of which the routes have that box.
  private func house(sealing box: SecretBox?) async throws -> House {
    try await House(providers: .only { $0.stack.secrets = box })
  }

  @Test func `the key is sealed, and neither an answer nor the log holds it`() async throws {
    let box = try #require(SecretBox(keys: [Self.key]))
    let house = try await house(sealing: box)
    let organization = try await house.organization()
    let path = organization.path + "/alerts/sms/config"
    let made = try await house.call(.post, path, as: organization.owner, Self.body)
    #expect(made.status == 200, "\(made)")
    let read = try await house.call(.get, path, as: organization.owner)
    #expect(read.json["telnyxApiKeyConfigured"]?.bool == true)
    #expect(read.json["telnyxPhoneNumber"]?.string == "+12025550143")
    #expect(read.json["telnyxMessagingProfileId"]?.string == "p1")
    #expect(read.json["isEnabled"]?.bool == true)
    for answer in [made, read] { #expect(!answer.description.contains(Self.secret)) }
    let rows = try await house.sql("SELECT telnyx_api_key_sealed, organization_id FROM sms_configs")
    let sealed = try #require(try rows.first?.bytes(0))
    #expect(box.open(sealed, context: SMSConfigStore.context(organization.id)) == Array(Self.secret.utf8))
    #expect(box.open(sealed, context: SMSConfigStore.context(.init(high: 0, low: 1))) == nil)
    let log = try await house.sql("SELECT before::text, after::text FROM event_logs WHERE entity_type = 'sms_config'")
    #expect(log.count == 1)
    #expect(try log.first?.text(1).contains("sealed") == false)
    #expect(try log.first?.text(1).contains("+12025550143") == true)
  }

  @Test func `a new encryption key takes over, and then the old one can go`() async throws {
    let (old, new) = (Self.key, [UInt8](repeating: 8, count: 32))
    let house = try await house(sealing: SecretBox(keys: [old]))
    let organization = try await house.organization()
    #expect(
      try await house.call(.post, organization.path + "/alerts/sms/config", as: organization.owner, Self.body).status
        == 200)
    let both = try #require(SecretBox(keys: [new, old]))
    for expected in [1, 0] {
      let renewed = try await house.run {
        try await SealRenewal(of: [.telnyxKeys], database: $0, box: both, log: .none).run()
      }
      #expect(renewed == expected)
    }
    let sealed = try #require(try await house.sql("SELECT telnyx_api_key_sealed FROM sms_configs").first?.bytes(0))
    let context = SMSConfigStore.context(organization.id)
    #expect(SecretBox(keys: [new])?.open(sealed, context: context) == Array(Self.secret.utf8))
  }

  @Test func `what is not given again is taken away`() async throws {
    let house = try await house(sealing: SecretBox(keys: [Self.key]))
    let organization = try await house.organization()
    let path = organization.path + "/alerts/sms/config"
    #expect(try await house.call(.get, path, as: organization.owner).json["configured"]?.bool == false)
    let first = try await house.call(.post, path, as: organization.owner, Self.body)
    let second = try await house.call(
      .post, path, as: organization.owner,
      #"{"telnyxApiKey":"another-key-1","telnyxPhoneNumber":"+12025550144","isEnabled":false}"#)
    #expect(second.json["telnyxMessagingProfileId"]?.isNull == true)
    #expect(second.json["isEnabled"]?.bool == false)
    #expect(second.json["id"]?.string == first.json["id"]?.string)
    #expect(try await house.call(.delete, path, as: organization.owner).status == 204)
    #expect(try await house.call(.delete, path, as: organization.owner).status == 404)
    #expect(try await house.sql("SELECT 1 FROM sms_configs").isEmpty)
  }

  @Test func `without an encryption key nothing is stored, and the rest works`() async throws {
    let house = try await house(sealing: nil)
    let organization = try await house.organization()
    let path = organization.path + "/alerts/sms/config"
    let refused = try await house.call(.post, path, as: organization.owner, Self.body)
    #expect(refused.status == 503)
    #expect(refused.errorCode == "NOT_CONFIGURED")
    #expect(try await house.call(.get, path, as: organization.owner).json["configured"]?.bool == false)
  }

  @Test func `bad fields are named, and only admins set it`() async throws {
    let house = try await house(sealing: SecretBox(keys: [Self.key]))
    let organization = try await house.organization()
    let path = organization.path + "/alerts/sms/config"
    let refused = try await house.call(
      .post, path, as: organization.owner, #"{"telnyxApiKey":"short","telnyxPhoneNumber":"12025550143"}"#)
    #expect(refused.badFields == ["telnyxApiKey", "telnyxPhoneNumber"])
    let manager = try await house.member(.manager, of: organization.id)
    #expect(try await house.call(.post, path, as: manager, Self.body).status == 403)
    #expect(try await house.call(.get, path, as: manager).status == 200)
  }
}
