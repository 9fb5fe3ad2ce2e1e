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

/// A finished request, as the log and the metrics see it.
struct RequestObservation {
  let route: Int?
  let method: Method
  let status: Status
  /// Nanoseconds.
  let duration: UInt64
  /// Of the answer's body, as sent.
  let bytes: Int
  let id: RequestID
  let peer: PeerAddress
}
