import Basics
import HTTP
import Synchronization

/// How often one caller may ask: a bucket of `limit` tokens for each, which fills again within `window`.
///
/// A bucket is one instant, the time at which it is full again (the generic cell rate algorithm, ITU-T I.371 A). A
/// bucket that is full is the same as none: so the table has a fixed size, and a caller takes the place of one whose
/// bucket is full. When all places of its row are taken by others, the one that is nearest to full is forgotten.
public final class RateLimiter: Sendable {
  /// Who is counted.
  public enum Caller: Hashable, Sendable {
    case user(UUID)
    case apiKey(UUID)
    case address(PeerAddress)
  }

  /// What stands in the headers of the answer.
  public struct Verdict: Sendable, Equatable {
    public let isAllowed: Bool
    public let limit: Int
    /// How many requests are left right now.
    public let remaining: Int
    /// Seconds until the bucket is full again.
    public let reset: Int
    /// Seconds until the next request is let through.
    public let retryAfter: Int
  }

  private struct Place {
    /// 0: never used.
    var caller: UInt64 = 0
    var fullAt = Int64.min
  }

  private static let shards = 16
  private static let rows = 1024
  private static let placesInRow = 4

  private final class Shard: Sendable {
    let places = Mutex([Place](repeating: Place(), count: RateLimiter.rows * RateLimiter.placesInRow))
  }

  private let table: [Shard]
  private let limit: Int64
  /// Microseconds.
  private let window: Int64
  private let interval: Int64

  /// - Parameter limit: 0 counts nothing and lets everybody through.
  public init(limit: Int, window: Duration) {
    self.limit = Int64(max(0, limit))
    self.window = max(1, window.microseconds)
    interval = max(1, self.window / max(1, self.limit))
    table = limit > 0 ? (0..<Self.shards).map { _ in Shard() } : []
  }

  public static let off = RateLimiter(limit: 0, window: .seconds(60))

  public var isOff: Bool { table.isEmpty }

  /// Takes one token of the caller's.
  public func take(_ caller: Caller, now: Instant) -> Verdict {
    guard !isOff else { return Verdict(isAllowed: true, limit: 0, remaining: 0, reset: 0, retryAfter: 0) }
    let hash = Self.hash(caller)
    let row = Int(hash >> 4 & UInt64(Self.rows - 1)) * Self.placesInRow
    let now = now.microseconds
    let (isAllowed, fullAt) = table[Int(hash & UInt64(Self.shards - 1))].places.withLock { places in
      let place = Self.place(of: hash, in: places, row, now)
      var known = now
      if places[place].caller == hash {
        // A clock that was set back must not lock anybody out for longer than one window.
        places[place].fullAt = min(places[place].fullAt, now + window)
        known = max(known, places[place].fullAt)
      }
      let next = known + interval
      guard next - now <= window else { return (false, known) }
      places[place] = Place(caller: hash, fullAt: next)
      return (true, next)
    }
    return Verdict(
      isAllowed: isAllowed, limit: Int(limit), remaining: Int((window - (fullAt - now)) / interval),
      reset: Self.seconds(fullAt - now), retryAfter: isAllowed ? 0 : Self.seconds(fullAt + interval - window - now))
  }

  private static func place(of hash: UInt64, in places: [Place], _ row: Int, _ now: Int64) -> Int {
    var best = row
    for place in row..<row + placesInRow {
      if places[place].caller == hash { return place }
      if places[place].fullAt < places[best].fullAt { best = place }
    }
    return best
  }

  /// Rounded up.
  private static func seconds(_ microseconds: Int64) -> Int { Int((max(0, microseconds) + 999_999) / 1_000_000) }

  /// Seeded anew in each process, so that nobody can choose whose place they take. One who has an IPv6 network has at
  /// least 2^64 addresses: they count as one.
  private static func hash(_ caller: Caller) -> UInt64 {
    var hasher = Hasher()
    switch caller {
    case .user(let id):
      hasher.combine(id)
    case .apiKey(let id):
      hasher.combine(1 as UInt8)
      hasher.combine(id)
    case .address(.ipv4(let bits)): hasher.combine(bits)
    case .address(.ipv6(let high, _)):
      hasher.combine(2 as UInt8)
      hasher.combine(high)
    case .address(.local): hasher.combine(3 as UInt8)
    }
    return max(1, UInt64(bitPattern: Int64(hasher.finalize())))
  }
}

extension RateLimiter {
  /// Takes one token; 429 with `Retry-After` when there is none.
  @discardableResult
  public func admit(_ caller: Caller, now: Instant) throws(HTTPError) -> Verdict {
    let verdict = take(caller, now: now)
    guard verdict.isAllowed else {
      var refusal = HTTPError.rateLimited(retryAfter: verdict.retryAfter)
      refusal.headers += verdict.headers
      throw refusal
    }
    return verdict
  }
}

extension RateLimiter.Verdict {
  /// None when nothing is counted.
  public var headers: [(HeaderName, String)] {
    guard limit > 0 else { return [] }
    return [(.rateLimit, "\(limit)"), (.rateLimitRemaining, "\(remaining)"), (.rateLimitReset, "\(reset)")]
  }
}

extension HeaderName {
  static let rateLimit: HeaderName = "x-ratelimit-limit"
  static let rateLimitRemaining: HeaderName = "x-ratelimit-remaining"
  static let rateLimitReset: HeaderName = "x-ratelimit-reset"
}
