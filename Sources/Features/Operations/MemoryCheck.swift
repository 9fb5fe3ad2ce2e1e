import Basics
import Glibc
import Telemetry

/// Says when the memory of this process comes near to what it may have.
public enum Memory {
  public static var check: HealthCheck {
    let limit = limit
    return HealthCheck("memory") {
      let used = ProcessFigures.residentBytes
      guard let limit, limit > 0, used > limit / 10 * 9 else { return .pass }
      return .init(.warn, "\(used >> 20) MiB of \(limit >> 20) MiB are in use")
    }
  }

  /// The limit of the container (cgroup v2, then v1). Nil without one.
  private static var limit: Int? {
    for path in ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"] {
      let descriptor = open(path, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { continue }
      defer { close(descriptor) }
      var text = [UInt8](repeating: 0, count: 32)
      let count = read(descriptor, &text, text.count)
      guard count > 0, let bytes = ASCII.unsigned(text[..<count].filter { $0 > 0x20 }) else { continue }
      return bytes < 1 << 50 ? bytes : nil
    }
    return nil
  }
}
