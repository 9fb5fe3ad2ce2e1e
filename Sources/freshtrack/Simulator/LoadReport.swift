import JSON

/// What became of the uplinks that were sent.
struct LoadReport {
  var sent = 0
  var byStatus: [Int: Int] = [:]
  /// By the `status` of the answer's body: `stored`, `duplicate`, `quarantined` ...
  var byOutcome: [String: Int] = [:]
  /// No answer came: the connection broke, or the run ended. Stored or not, nobody knows.
  var unanswered = 0
  var connectFailures = 0
  var seconds = 0.0
  var latency = LatencyHistogram()

  /// Answered with 2xx.
  var acknowledged: Int { byStatus.reduce(0) { (200..<300).contains($1.key) ? $0 + $1.value : $0 } }
  var rate: Double { seconds > 0 ? Double(acknowledged) / seconds : 0 }

  mutating func record(_ answer: ResponseReader.Answer, microseconds: Int) {
    byStatus[answer.status, default: 0] += 1
    latency.record(microseconds: microseconds)
    guard (200..<300).contains(answer.status), let outcome = Self.outcome(answer.body) else { return }
    byOutcome[outcome, default: 0] += 1
  }

  /// The `status` of the answer, found without parsing: this runs for each of many thousand answers a second.
  private static func outcome(_ body: ArraySlice<UInt8>) -> String? {
    guard body.count > statusKey.count else { return nil }
    for at in body.startIndex...(body.endIndex - statusKey.count) where body[at] == UInt8(ascii: "\"") {
      guard body[at..<(at + statusKey.count)].elementsEqual(statusKey) else { continue }
      let value = body[(at + statusKey.count)...].prefix(32)
      return String(decoding: value.prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
    }
    return nil
  }

  private static let statusKey = Array(#""status":""#.utf8)

  /// One line for people.
  var line: String {
    var parts = ["\(Self.rounded(seconds, 1)) s", "\(sent) sent", "\(acknowledged) acknowledged"]
    parts.append("\(Self.rounded(rate, 0))/s")
    for (status, count) in byStatus.sorted(by: { $0.key < $1.key }) where !(200..<300).contains(status) {
      parts.append("\(count) answered \(status)")
    }
    if unanswered > 0 { parts.append("\(unanswered) without an answer") }
    if connectFailures > 0 { parts.append("\(connectFailures) refused connections") }
    if latency.count > 0 {
      let times = [0.5, 0.99].map { Self.rounded(latency.milliseconds(at: $0), 1) }
      parts.append("p50 \(times[0]) ms, p99 \(times[1]) ms")
    }
    return parts.joined(separator: ", ")
  }

  var json: [UInt8] {
    JSONWriter.bytes { json in
      json.object { json in
        json.field("sent", sent)
        json.field("acknowledged", acknowledged)
        json.field("unanswered", unanswered)
        json.field("connectFailures", connectFailures)
        json.field("seconds", seconds)
        json.field("perSecond", rate)
        json.object("byStatus") { json in
          for (status, count) in byStatus.sorted(by: { $0.key < $1.key }) { json.field(String(status), count) }
        }
        json.object("byOutcome") { json in
          for (outcome, count) in byOutcome.sorted(by: { $0.key < $1.key }) { json.field(outcome, count) }
        }
        json.object("latencyMs") { json in
          for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1)] {
            json.field(name, latency.milliseconds(at: share))
          }
        }
      }
    }
  }

  private static func rounded(_ value: Double, _ places: Int) -> String {
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let rounded = (value * scale).rounded() / scale
    return places == 0 ? String(Int(rounded)) : String(rounded)
  }
}
