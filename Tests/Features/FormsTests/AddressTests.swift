import Forms
import Testing

@Suite struct AddressTests {
  @Test(arguments: [
    ("+12025550143", true), ("+4930901820", true), ("+999999999999999", true), ("+9999999999999999", false),
    ("12025550143", false), ("+0202555014", false), ("+1 202 555", false), ("+1", false), ("+", false), ("", false),
    ("+1٢", false),
  ]) func `phone numbers are E.164`(text: String, isValid: Bool) {
    #expect((PhoneNumber(e164: text) != nil) == isValid)
  }

  @Test(arguments: [
    ("a@b.de", true), ("first.last+tag@mail.example.co.uk", true), ("ü@exämple.de", true), ("a@b", false),
    ("@b.de", false),
    ("a@", false), ("a@.de", false), ("a@b..de", false), ("a b@c.de", false), ("a@b@c.de", false),
    ("a@b.de\r\nBcc: x@y.de", false), ("A <a@b.de>", false), ("a@-b.de", false),
  ]) func `addresses that a mail server would not take are refused`(text: String, isValid: Bool) {
    #expect((EmailAddress(text) != nil) == isValid)
  }
}
