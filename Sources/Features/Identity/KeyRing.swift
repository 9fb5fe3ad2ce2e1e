import Basics
import Crypto
import HTTP
import Synchronization
import Telemetry

/// The keys of the token issuer, held in memory. It asks the issuer when it has none, when a token names a key that it
/// does not know, and when told to refresh; while the issuer is away it goes on with what it has.
final class KeyRing: Sendable {
  typealias Fetch = @Sendable () async throws -> JWKSet

  /// Between two questions to the issuer: invented key ids must not become a flood.
  static let pause = Duration.seconds(30)
  /// The same while there is no key at all and so nobody can be let in.
  static let pauseWithoutKeys = Duration.seconds(1)

  struct Keys: Sendable {
    let set: JWKSet
    /// Counts up with each answer of the issuer.
    let generation: Int
  }

  private struct State {
    var keys: Keys?
    var askedAt: Instant?
    var asking = false
    /// The issuer did not answer when it was last asked.
    var isAway = false
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  private let fetch: Fetch
  private let log: Log
  private let state = Mutex(State())

  init(log: Log, fetch: @escaping Fetch) {
    self.log = log
    self.fetch = fetch
  }

  /// What is known; 503 when the issuer has never answered.
  func keys(now: Instant) async throws(HTTPError) -> Keys {
    if let keys = state.withLock({ $0.keys }) { return keys }
    await ask(now: now)
    guard let keys = state.withLock({ $0.keys }) else { throw Self.unavailable }
    return keys
  }

  private static let unavailable = HTTPError.unavailable("The keys of the token issuer cannot be had", retryAfter: 5)

  /// Keys that are newer than `old`, for a token whose key is not among them. Nil when the issuer has said lately that
  /// there are none; 503 while it says nothing, because then the token may be good.
  func keys(after old: Keys, now: Instant) async throws(HTTPError) -> Keys? {
    if let keys = state.withLock({ $0.keys }), keys.generation > old.generation { return keys }
    await ask(now: now)
    let (newest, isAway) = state.withLock { ($0.keys, $0.isAway) }
    if let newest, newest.generation > old.generation { return newest }
    if isAway { throw Self.unavailable }
    return nil
  }

  private enum Turn { case ask, wait, tooSoon }

  /// One question at a time: who comes meanwhile waits for its answer.
  func ask(now: Instant) async {
    let turn: Turn = state.withLock { state in
      if state.asking { return .wait }
      let pause = state.keys == nil ? Self.pauseWithoutKeys : Self.pause
      if let askedAt = state.askedAt, askedAt <= now, now - askedAt < pause { return .tooSoon }
      state.asking = true
      state.askedAt = now
      return .ask
    }
    switch turn {
    case .tooSoon: return
    case .wait:
      await withCheckedContinuation { continuation in
        let answered = state.withLock { state in
          if state.asking { state.waiting.append(continuation) }
          return !state.asking
        }
        if answered { continuation.resume() }
      }
    case .ask:
      var answer: JWKSet?
      do { answer = try await fetch() } catch {
        log.warn("the keys of the token issuer cannot be had", ["error": .error(error)])
      }
      let waiting = state.withLock { state in
        state.isAway = answer == nil
        if let answer { state.keys = Keys(set: answer, generation: (state.keys?.generation ?? 0) + 1) }
        state.asking = false
        defer { state.waiting = [] }
        return state.waiting
      }
      for continuation in waiting { continuation.resume() }
    }
  }
}
