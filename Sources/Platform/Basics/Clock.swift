import CLinux
import Glibc

/// Where the time comes from. Passed in, so that tests set it.
public struct WallClock: Sendable {
  public let now: @Sendable () -> Instant

  public init(now: @escaping @Sendable () -> Instant) { self.now = now }

  /// The machine's clock. It may step; deadlines within a process use ``MonotonicClock``.
  public static let system = WallClock {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Instant(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
  }
}

/// Nanoseconds of a clock that never steps, from an arbitrary start.
public enum MonotonicClock {
  public static func nanoseconds() -> UInt64 { clinux_monotonic() }

  /// On the calling thread it stands at `nanoseconds` from now on, so that a test of a loop decides how time passes. Nil: it goes
  /// on from where it stands.
  public static func stand(at nanoseconds: UInt64?) { clinux_set_thread_time(nanoseconds ?? 0) }
}
