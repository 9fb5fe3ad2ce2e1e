import Basics
import HTTP

/// The settings of an ``HTTPServer``. Every limit has a default that suits a small machine behind a proxy.
public struct HTTPServerConfiguration: Sendable {
  public var host = "127.0.0.1"
  /// 0: the kernel picks a free one.
  public var port: UInt16 = 3000

  /// From the first byte of a request to the end of its head.
  public var headTimeLimit: Duration = .seconds(10)
  /// Without a byte of the body for so long, or slower than ``bodyRateMin``: 408.
  public var bodyIdleLimit: Duration = .seconds(15)
  /// Bytes a second, measured over the whole body after the first ``bodyIdleLimit``.
  public var bodyRateMin = 500
  /// From the end of the body to the answer; a route may set its own. Over it: the task is cancelled and 503 answered.
  public var handlerTimeLimit: Duration = .seconds(30)
  /// Between two requests on one connection.
  public var idleTimeLimit: Duration = .seconds(75)
  /// A client that takes no byte of its answer for so long is cut off.
  public var writeTimeLimit: Duration = .seconds(30)

  /// Over all loops. The next one gets 503 and is closed.
  public var connectionsMax = 20_000
  /// Of request bodies that are in memory, for each loop. Over it: 503 and close.
  public var bufferedBodyBytesMax = 64 << 20

  /// Proxies whose `X-Forwarded-For` is believed.
  public var trustedProxies: [AddressBlock] = []
  /// Origins that browsers may call from, exactly as they send them: `https://app.example.com`.
  public var corsOrigins: [String] = []
  public var gzip = true

  public var clock = WallClock.system
  /// Gives the answer for an error that is no ``HTTPError``. Nil: 500, and the error goes to the log.
  public var mapError: @Sendable (any Error) -> HTTPError? = { _ in nil }

  public init() {}
}
