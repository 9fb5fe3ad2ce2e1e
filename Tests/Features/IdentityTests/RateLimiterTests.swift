import Basics
import HTTP
import Testing

@testable import Identity

@Suite struct RateLimiterTests {
  private let start = Instant(seconds: 1_800_000_000)
  private let somebody = RateLimiter.Caller.user(UUID.v4())

  @Test func `a bucket holds the limit and fills again within its window`() {
    let limiter = RateLimiter(limit: 6, window: .seconds(60))
    for left in (0..<6).reversed() {
      let verdict = limiter.take(somebody, now: start)
      #expect(verdict.isAllowed)
      #expect(verdict.remaining == left)
    }
    let refused = limiter.take(somebody, now: start)
    #expect(!refused.isAllowed)
    #expect(refused.retryAfter == 10)
    #expect(refused.reset == 60)
    #expect(!limiter.take(somebody, now: start + .seconds(9)).isAllowed)
    #expect(limiter.take(somebody, now: start + .seconds(10)).isAllowed)
    #expect(!limiter.take(somebody, now: start + .seconds(10)).isAllowed)
    #expect(limiter.take(somebody, now: start + .minutes(5)).remaining == 5)
  }

  @Test func `who is refused does not wait longer for having asked`() {
    let limiter = RateLimiter(limit: 1, window: .seconds(10))
    #expect(limiter.take(somebody, now: start).isAllowed)
    for second in 1...9 { #expect(!limiter.take(somebody, now: start + .seconds(second)).isAllowed) }
    #expect(limiter.take(somebody, now: start + .seconds(10)).isAllowed)
  }

  @Test func `users, keys and addresses are counted apart`() {
    let limiter = RateLimiter(limit: 1, window: .seconds(10))
    let id = UUID.v4()
    let callers: [RateLimiter.Caller] = [
      .user(id), .apiKey(id), .user(UUID.v4()), .address(.ipv4(1)), .address(.ipv4(2)), .address(.local),
      .address(.ipv6(high: 1, low: 1)), .address(.ipv6(high: 2, low: 1)),
    ]
    for caller in callers { #expect(limiter.take(caller, now: start).isAllowed) }
    for caller in callers { #expect(!limiter.take(caller, now: start).isAllowed) }
  }

  @Test func `the addresses of one IPv6 network are one caller`() {
    let limiter = RateLimiter(limit: 1, window: .seconds(10))
    #expect(limiter.take(.address(.ipv6(high: 7, low: 1)), now: start).isAllowed)
    #expect(!limiter.take(.address(.ipv6(high: 7, low: 2)), now: start).isAllowed)
  }

  @Test func `a million callers take no more room and one who asks much is still known`() {
    let limiter = RateLimiter(limit: 100, window: .seconds(100))
    for _ in 0..<100 { _ = limiter.take(somebody, now: start) }
    for number in 0..<1_000_000 { _ = limiter.take(.address(.ipv4(UInt32(number))), now: start) }
    #expect(!limiter.take(somebody, now: start).isAllowed)
  }

  @Test func `a clock that is set back locks nobody out for longer than a window`() {
    let limiter = RateLimiter(limit: 2, window: .seconds(60))
    _ = limiter.take(somebody, now: start + .days(1))
    #expect(limiter.take(somebody, now: start + .seconds(60)).isAllowed == false)
    #expect(limiter.take(somebody, now: start + .seconds(120)).isAllowed)
  }

  @Test func `a limit of zero counts nothing`() {
    for _ in 0..<1000 { #expect(RateLimiter.off.take(somebody, now: start).isAllowed) }
    #expect(RateLimiter.off.take(somebody, now: start).headers.isEmpty)
  }

  @Test func `a refusal says when to come back`() {
    let limiter = RateLimiter(limit: 1, window: .seconds(30))
    #expect(throws: Never.self) { try limiter.admit(somebody, now: start) }
    let error = #expect(throws: HTTPError.self) { try limiter.admit(somebody, now: start + .seconds(5)) }
    #expect(error?.status == .tooManyRequests)
    #expect(error?.code == "RATE_LIMITED")
    let headers = Dictionary(uniqueKeysWithValues: (error?.headers ?? []).map { ($0.0.text.lowercased(), $0.1) })
    #expect(
      headers == [
        "retry-after": "25", "x-ratelimit-limit": "1", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "25",
      ])
  }
}
