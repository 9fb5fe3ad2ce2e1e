import Basics
import HTTP

/// What must be known of a request until its answer is out.
struct Exchange {
  var method = Method.get
  /// Place in the table of routes; `nil` when no route matched.
  var route: Int?
  var isVersion10 = false
  var keepAlive = true
  var acceptsGzip = false
  /// Place in the list of allowed origins.
  var origin: Int?
  var ifNoneMatch: String?
  var id = RequestID(number: 0)
  var peer = PeerAddress.local
  /// Monotonic nanoseconds, when the head was complete.
  var started: UInt64 = 0
}
