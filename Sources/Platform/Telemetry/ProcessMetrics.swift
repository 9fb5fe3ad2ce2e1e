import Basics
import Glibc

/// What the kernel knows about this process (proc(5)).
public enum ProcessFigures {
  /// Bytes of memory that are in RAM. 0 when /proc is not mounted.
  public static var residentBytes: Int {
    let fields = words(of: "/proc/self/statm")
    guard fields.count > 1, let pages = ASCII.unsigned(fields[1]) else { return 0 }
    return pages * Int(sysconf(CInt(_SC_PAGESIZE)))
  }

  public static var virtualBytes: Int {
    guard let first = words(of: "/proc/self/statm").first, let pages = ASCII.unsigned(first) else { return 0 }
    return pages * Int(sysconf(CInt(_SC_PAGESIZE)))
  }

  public static var openDescriptors: Int {
    guard let folder = opendir("/proc/self/fd") else { return 0 }
    defer { closedir(folder) }
    var count = 0
    while readdir(folder) != nil { count += 1 }
    return max(0, count - 3)  // ".", ".." and the descriptor of the folder itself
  }

  public static var descriptorLimit: Int {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
    return Int(clamping: limit.rlim_cur)
  }

  /// Seconds of user and system time together.
  public static var cpuSeconds: Double {
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
  }

  /// When the process started, in seconds since 1970; the kernel counts it in ticks since the machine started.
  public static var startSeconds: Double {
    let stat = bytes(of: "/proc/self/stat")
    // The name of the program stands in parentheses and may hold spaces: count from the last one.
    guard let end = stat.lastIndex(of: UInt8(ascii: ")")) else { return 0 }
    let fields = stat[(end + 1)...].split(separator: UInt8(ascii: " "))
    guard fields.count > 19, let ticks = ASCII.unsigned(fields[19]) else { return 0 }
    let boot = bytes(of: "/proc/stat").split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "btime ".utf8) }
    guard let boot, let booted = ASCII.unsigned(boot.dropFirst(6)) else { return 0 }
    return Double(booted) + Double(ticks) / Double(sysconf(CInt(_SC_CLK_TCK)))
  }

  private static func words(of path: String) -> [ArraySlice<UInt8>] {
    bytes(of: path).split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
  }

  private static func bytes(of path: String) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 * 1024)
    while case let count = read(descriptor, &chunk, chunk.count), count > 0, content.count < 1 << 20 {
      content += chunk[..<count]
    }
    return content
  }
}

extension Metrics {
  /// The figures that every Prometheus client library gives under these names.
  public func registerProcess() {
    gauge("process_resident_memory_bytes", help: "Resident memory size in bytes.") {
      Double(ProcessFigures.residentBytes)
    }
    gauge("process_virtual_memory_bytes", help: "Virtual memory size in bytes.") {
      Double(ProcessFigures.virtualBytes)
    }
    gauge("process_open_fds", help: "Number of open file descriptors.") { Double(ProcessFigures.openDescriptors) }
    gauge("process_max_fds", help: "Maximum number of open file descriptors.") {
      Double(ProcessFigures.descriptorLimit)
    }
    observed(
      "process_cpu_seconds_total", help: "Total user and system CPU time spent in seconds.", kind: .counter, labels: []
    ) { [([], ProcessFigures.cpuSeconds)] }
    let started = ProcessFigures.startSeconds
    gauge("process_start_time_seconds", help: "Start time of the process since unix epoch in seconds.") { started }
  }
}
