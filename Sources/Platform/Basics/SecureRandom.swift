import CLinux
import Glibc
import Synchronization

/// The kernel's random numbers, fetched 512 at a time.
public enum SecureRandom {
  private static let pool = Mutex<[UInt64]>([])

  public static func uint64() -> UInt64 {
    pool.withLock { words in
      if words.isEmpty { words = fresh(512) }
      return words.removeLast()
    }
  }

  /// For keys: straight from the kernel, kept nowhere else.
  public static func bytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      precondition(clinux_random(buffer.baseAddress, count) == 0, "the kernel has no random numbers")
      filled = count
    }
  }

  private static func fresh(_ count: Int) -> [UInt64] {
    [UInt64](unsafeUninitializedCapacity: count) { buffer, filled in
      precondition(clinux_random(buffer.baseAddress, count * 8) == 0, "the kernel has no random numbers")
      filled = count
    }
  }
}
