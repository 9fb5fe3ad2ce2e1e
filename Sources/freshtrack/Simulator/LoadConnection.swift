import Basics
import CLinux
import Glibc

/// One keep-alive connection of a ``LoadClient``: requests go out in a pipeline, answers come back in their order.
struct LoadConnection {
  typealias Answered = (inout LoadReport, UplinkSource.Uplink, ResponseReader.Answer, UInt64) -> Void

  enum Opening { case open, resting, refused }

  private let target: HTTPTarget
  private let head: [UInt8]
  private var socket: CInt?
  private var isConnected = false
  /// What the poll was told last.
  private var watched: UInt32?
  private var output: [UInt8] = []
  private var sent = 0
  private var waiting: [(uplink: UplinkSource.Uplink, since: UInt64)] = []
  private var taken = 0
  private var reader = ResponseReader()
  /// After a failure the connection rests, longer each time, up to a second.
  private var restUntil: UInt64 = 0
  private var rest: UInt64 = 20_000_000

  init(_ target: HTTPTarget, apiKey: String) {
    self.target = target
    head = Array(
      """
      POST \(target.prefix)/api/webhooks/ttn HTTP/1.1\r
      Host: \(target.host)\r
      User-Agent: TheThingsStack/3.32.0 (simulated by freshtrack)\r
      Content-Type: application/json\r
      X-Tts-Domain: nam1.cloud.thethings.network\r
      X-API-Key: \(apiKey)\r
      Content-Length:\u{20}
      """.utf8)
  }

  var inFlight: Int { waiting.count - taken }
  var hasOutput: Bool { sent < output.count }

  /// Tells `poll` what is waited for now; its events will carry `token`.
  mutating func watch(on poll: CInt, as token: UInt64) {
    guard let socket else { return }
    let wanted = UInt32(hasOutput || !isConnected ? CLINUX_READABLE | CLINUX_WRITABLE : CLINUX_READABLE)
    guard wanted != watched else { return }
    _ =
      watched == nil
      ? clinux_poll_add(poll, socket, wanted, token) : clinux_poll_modify(poll, socket, wanted, token)
    watched = wanted
  }

  mutating func open(_ now: UInt64) -> Opening {
    if socket != nil { return .open }
    guard now >= restUntil else { return .resting }
    guard let fresh = target.connect(blocking: false) else {
      failed(now)
      return .refused
    }
    socket = fresh
    isConnected = false
    return .open
  }

  mutating func enqueue(_ uplink: UplinkSource.Uplink, since: UInt64) {
    output.append(contentsOf: head)
    output.append(contentsOf: String(uplink.body.count).utf8)
    output.append(contentsOf: "\r\n\r\n".utf8)
    output.append(contentsOf: uplink.body)
    waiting.append((uplink, since))
  }

  /// Sends what fits. Returns how many requests were lost with the connection.
  mutating func flush(_ now: UInt64) -> Int {
    guard let socket, isConnected else { return 0 }
    while hasOutput {
      let start = sent
      let count = output.withUnsafeBytes {
        send(socket, $0.baseAddress.map { $0 + start }, $0.count - start, CInt(MSG_NOSIGNAL))
      }
      if count > 0 {
        sent += count
      } else if errno == EINTR {
        continue
      } else if errno == EAGAIN {
        return 0
      } else {
        return fail(now)
      }
    }
    output.removeAll(keepingCapacity: true)
    sent = 0
    return 0
  }

  /// Takes the answers that arrived and gives each with the uplink that it answers.
  mutating func ready(
    _ events: UInt32, now: UInt64, into report: inout LoadReport, _ answered: Answered
  ) -> (unanswered: Int, wasRefused: Bool) {
    guard let socket else { return (0, false) }
    if !isConnected {
      var problem: CInt = 0
      var length = socklen_t(MemoryLayout<CInt>.size)
      getsockopt(socket, SOL_SOCKET, SO_ERROR, &problem, &length)
      guard problem == 0 else { return (fail(now), true) }
      if events & UInt32(CLINUX_WRITABLE) != 0 { isConnected = true }
      return (flush(now), false)
    }
    if events & UInt32(CLINUX_WRITABLE) != 0 {
      let lost = flush(now)
      if lost > 0 { return (lost, false) }
    }
    guard events & UInt32(CLINUX_READABLE | CLINUX_HANGUP | CLINUX_ERROR) != 0 else { return (0, false) }
    return (receive(socket, now, &report, answered), false)
  }

  private mutating func receive(
    _ socket: CInt, _ now: UInt64, _ report: inout LoadReport, _ answered: Answered
  ) -> Int {
    let count = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64 * 1024) { chunk in
      let count = recv(socket, chunk.baseAddress, chunk.count, 0)
      if count > 0 { reader.append(chunk[..<count]) }
      return count
    }
    guard count > 0 else { return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : fail(now) }
    do {
      while let answer = try reader.next() {
        guard taken < waiting.count else { return fail(now) }
        let (uplink, since) = waiting[taken]
        taken += 1
        answered(&report, uplink, answer, since)
        rest = 20_000_000
        if answer.closes { return fail(now) }
      }
    } catch { return fail(now) }
    reader.compact()
    if taken == waiting.count || taken > 1024 {
      waiting.removeFirst(taken)
      taken = 0
    }
    return 0
  }

  /// Gives up what is on its way: how many requests that were.
  mutating func drop() -> Int {
    let lost = inFlight
    if let socket { close(socket) }
    socket = nil
    watched = nil
    waiting.removeAll(keepingCapacity: true)
    taken = 0
    output.removeAll(keepingCapacity: true)
    sent = 0
    reader = ResponseReader()
    return lost
  }

  private mutating func fail(_ now: UInt64) -> Int {
    failed(now)
    return drop()
  }

  private mutating func failed(_ now: UInt64) {
    restUntil = now + rest
    rest = min(rest * 2, 1_000_000_000)
  }
}
