import Notifications

/// What the operator has agreed with others. Nil where it is not: what needs it answers NOT_CONFIGURED.
extension Settings {
  var telnyxKeys: TelnyxKeys? { TelnyxKeys(base64: list("TELNYX_PUBLIC_KEY")) }
}
