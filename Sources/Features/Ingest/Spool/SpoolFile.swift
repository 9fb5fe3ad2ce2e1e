import Basics
import Glibc
import Runtime

/// A file of the spool. Every call blocks: only on the spool's own threads.
final class SpoolFile: Sendable {
  let path: String
  private let descriptor: CInt

  private init(path: String, descriptor: CInt) {
    self.path = path
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  static func open(_ path: String, _ flags: CInt) throws(SystemError) -> SpoolFile {
    let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw SystemError("open \(path)") }
    return SpoolFile(path: path, descriptor: descriptor)
  }

  /// Takes the file for this process until it is closed. False: another has it.
  func lock() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

  func size() throws(SystemError) -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw SystemError("look at \(path)") }
    return Int(status.st_size)
  }

  /// Takes the space on disk now, so that a full disk shows before anything is promised.
  func reserve(_ count: Int) throws(SystemError) {
    var code = EINTR
    while code == EINTR { code = posix_fallocate(descriptor, 0, count) }
    guard code == 0 else { throw SystemError("reserve \(count) bytes for \(path)", code: code) }
  }

  func write(_ bytes: [UInt8], at place: Int) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress?.advanced(by: done), bytes.count - done, off_t(place + done))
      }
      if count > 0 {
        done += count
      } else if count == 0 || errno != EINTR {
        throw SystemError("write \(path)", code: count == 0 ? EIO : errno)
      }
    }
  }

  /// Up to `count` bytes; fewer at the end of the file.
  func read(_ count: Int, at place: Int) throws(SystemError) -> [UInt8] {
    var failure: CInt = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count {
        let got = pread(descriptor, buffer.baseAddress?.advanced(by: filled), count - filled, off_t(place + filled))
        if got > 0 {
          filled += got
        } else if got == 0 {
          return
        } else if errno != EINTR {
          failure = errno
          return
        }
      }
    }
    guard failure == 0 else { throw SystemError("read \(path)", code: failure) }
    return bytes
  }

  func cut(to count: Int) throws(SystemError) {
    guard ftruncate(descriptor, off_t(count)) == 0 else { throw SystemError("cut \(path)") }
  }

  /// What was written is on disk when it returns.
  func sync() throws(SystemError) {
    guard fdatasync(descriptor) == 0 else { throw SystemError("sync \(path)") }
  }
}

/// The folder of a spool.
struct SpoolFolder: Sendable {
  let path: String
  /// What could not be read, for a person to look at.
  var bad: String { path + "/bad" }

  init(_ path: String) throws(SystemError) {
    self.path = path
    var part = ""
    for name in path.split(separator: "/") {
      part += (part.isEmpty && !path.hasPrefix("/") ? "" : "/") + name
      if mkdir(part, 0o700) != 0, errno != EEXIST, errno != EROFS, errno != EACCES { throw SystemError("make \(part)") }
    }
    if mkdir(bad, 0o700) != 0, errno != EEXIST { throw SystemError("make \(bad)") }
  }

  func segment(_ number: UInt64) -> String {
    let digits = Hex.encode((0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64($0))) })
    return "\(path)/\(digits).spool"
  }

  /// The numbers of the segments, oldest first.
  func segments() throws(SystemError) -> [UInt64] {
    guard let stream = opendir(path) else { throw SystemError("read \(path)") }
    defer { closedir(stream) }
    var numbers: [UInt64] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name.hasSuffix(".spool"), name.utf8.count == 22, let bytes = Hex.decode(name.utf8.prefix(16)) else {
        continue
      }
      numbers.append(bytes.reduce(0) { $0 << 8 | UInt64($1) })
    }
    return numbers.sorted()
  }

  /// Bytes that an ordinary user may still write, and all that there are.
  func space() throws(SystemError) -> (free: Int, all: Int) {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { throw SystemError("look at \(path)") }
    return (Int(status.f_bavail) * Int(status.f_frsize), Int(status.f_blocks) * Int(status.f_frsize))
  }

  /// Names in the folder are on disk when it returns.
  func sync() throws(SystemError) {
    try SpoolFile.open(path, O_RDONLY | O_DIRECTORY).syncWhole()
  }

  /// Keeps bytes that are of no use where a person finds them. The name tells where they were.
  func setAside(_ bytes: [UInt8], as name: String) throws(SystemError) {
    let file = try SpoolFile.open("\(bad)/\(name)", O_WRONLY | O_CREAT)
    try file.write(bytes, at: 0)
    try file.sync()
  }
}

extension SpoolFile {
  fileprivate func syncWhole() throws(SystemError) {
    guard fsync(descriptor) == 0 else { throw SystemError("sync \(path)") }
  }
}
