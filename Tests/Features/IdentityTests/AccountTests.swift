import Basics
import FeatureSupport
import HTTP
import Identity
import JSON
import Testing

@Suite(.serialized) struct AccountTests {
  @Test func `who has set nothing has the defaults`() async throws {
    let house = try await House()
    let user = try await house.user()
    let me = try await house.call(.get, "/api/users/me", as: user)
    #expect(me.status == 200)
    #expect(me.json["email"]?.string == "\(user.id)@example.com")
    #expect(me.json["fullName"]?.string == "Somebody")
    #expect(me.json["phone"]?.isNull == true)
    #expect(me.json["notificationPreferences"]?["sms"]?.bool == false)
    #expect(me.json["notificationPreferences"]?["email"]?.bool == true)
    #expect(me.json["isSuperAdmin"]?.bool == false)
    let digest = try await house.call(.get, "/api/preferences/digest", as: user)
    #expect(
      String(decoding: digest.body, as: UTF8.self)
        == #"{"digestDaily":false,"digestWeekly":false,"digestDailyTime":"09:00","digestSiteIds":null,"timezone":"UTC","emailEnabled":true}"#
    )
    #expect(try await house.call(.get, "/api/users/me").status == 401)
  }

  @Test func `a profile keeps what a change does not name`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let user = organization.owner
    let changed = try await house.call(
      .patch, "/api/users/me", as: user,
      #"""
      {"fullName":"Ada","phone":"+1 (555) 010-99-88","avatarUrl":"https://x/y.png",
      "notificationPreferences":{"sms":true}}
      """#)
    #expect(changed.status == 200)
    #expect(changed.json["fullName"]?.string == "Ada")
    #expect(changed.json["phone"]?.string == "+15550109988")
    #expect(changed.json["notificationPreferences"]?["sms"]?.bool == true)
    #expect(changed.json["notificationPreferences"]?["email"]?.bool == true)
    let cleared = try await house.call(.patch, "/api/users/me", as: user, #"{"phone":null}"#)
    #expect(cleared.json["phone"]?.isNull == true)
    #expect(cleared.json["fullName"]?.string == "Ada")
    #expect(cleared.json["notificationPreferences"]?["sms"]?.bool == true)
    let members = try await house.call(.get, organization.path + "/members", as: user)
    #expect(members.json[0]?["fullName"]?.string == "Ada")
  }

  @Test(arguments: [
    (#"{"fullName":""}"#, "fullName"), (#"{"phone":"call me"}"#, "phone"), (#"{"phone":"123"}"#, "phone"),
    (#"{"avatarUrl":"javascript:alert(1)"}"#, "avatarUrl"), (#"{"fullName":null}"#, "fullName"),
    (#"{"notificationPreferences":7}"#, "notificationPreferences"),
    (#"{"notificationPreferences":{"sms":"yes"}}"#, "notificationPreferences/sms"),
  ])
  func `a wrong field of a profile is named`(body: String, field: String) async throws {
    let house = try await House()
    let answer = try await house.call(.patch, "/api/users/me", as: try await house.user(), body)
    #expect(answer.status == 400)
    #expect(answer.badFields == [field])
  }

  @Test func `digests are for sites that one may see`() async throws {
    let house = try await House()
    let (organization, other) = (try await house.organization(), try await house.organization())
    let user = organization.owner
    let changed = try await house.call(
      .patch, "/api/preferences/digest", as: user,
      #"{"digestDaily":true,"digestDailyTime":"07:30","timezone":"Europe/Berlin","digestSiteIds":["\#(organization.site)"]}"#
    )
    #expect(changed.status == 200)
    #expect(changed.json["digestDaily"]?.bool == true)
    #expect(changed.json["digestDailyTime"]?.string == "07:30")
    #expect(changed.json["digestSiteIds"]?[0]?.string == organization.site.description)
    let foreign = try await house.call(
      .patch, "/api/preferences/digest", as: user, #"{"digestSiteIds":["\#(other.site)"]}"#)
    #expect(foreign.badFields == ["digestSiteIds"])
    let empty = try await house.call(.patch, "/api/preferences/digest", as: user, #"{"digestSiteIds":[]}"#)
    #expect(empty.json["digestSiteIds"]?.count == 0)
    let all = try await house.call(.patch, "/api/preferences/digest", as: user, #"{"digestSiteIds":null}"#)
    #expect(all.json["digestSiteIds"]?.isNull == true)
    for (body, field) in [
      (#"{"digestDailyTime":"24:00"}"#, "digestDailyTime"), (#"{"digestDailyTime":"7:30"}"#, "digestDailyTime"),
      (#"{"timezone":"Mars"}"#, "timezone"), (#"{"digestDaily":1}"#, "digestDaily"),
    ] {
      #expect(try await house.call(.patch, "/api/preferences/digest", as: user, body).badFields == [field])
    }
    let none = try await house.call(.post, "/api/preferences/digest/disable-all", as: user)
    #expect(none.json["success"]?.bool == true)
    let digest = try await house.call(.get, "/api/preferences/digest", as: user)
    #expect(digest.json["digestDaily"]?.bool == false)
    #expect(digest.json["digestDailyTime"]?.string == "07:30")
  }

  @Test func `whether an address or a number is taken`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let email = "\(organization.owner.id)@Example.com"
    func isFree(_ target: String) async throws -> Bool? {
      try await house.call(.get, "/api/availability/" + target).json["available"]?.bool
    }
    #expect(try await isFree("email?email=\(email)") == false)
    #expect(try await isFree("email?email=nobody@example.com") == true)
    _ = try await house.call(.patch, "/api/users/me", as: organization.owner, #"{"phone":"+15550109988"}"#)
    #expect(try await isFree("phone?phone=%2B1%20(555)%20010-9988") == false)
    #expect(try await isFree("phone?phone=%2B15550109989") == true)
    for target in ["email?email=x", "email", "phone?phone=123", "phone?phone=abcdefghijk"] {
      #expect(try await house.call(.get, "/api/availability/" + target).status == 400)
    }
  }
}
