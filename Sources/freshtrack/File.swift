import Glibc

/// Small files, whole.
enum File {
  /// Nil when it cannot be read or is longer than `limit` bytes.
  static func read(_ path: String, limit: Int) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 * 1024)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count == 0 { return content }
      if count < 0 {
        if errno == EINTR { continue }
        return nil
      }
      content += chunk[..<count]
      guard content.count <= limit else { return nil }
    }
  }

  /// Readable by the owner alone; written beside and renamed, so that it is whole or absent.
  static func write(_ bytes: [UInt8], to path: String) throws(Failure) {
    let draft = path + ".new"
    let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Failure(.system, "\(draft) cannot be written: \(systemError())") }
    let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    let synced = fsync(descriptor)
    close(descriptor)
    guard written == bytes.count, synced == 0, rename(draft, path) == 0 else {
      throw Failure(.system, "\(path) cannot be written: \(systemError())")
    }
  }

  static func makeFolder(_ path: String) throws(Failure) {
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
      throw Failure(.system, "the folder \(path) cannot be made: \(systemError())")
    }
  }
}

/// The text of `errno`.
func systemError(_ number: CInt = errno) -> String { String(cString: strerror(number)) }
