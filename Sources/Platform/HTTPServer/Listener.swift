import Glibc
import HTTP
import Runtime
import Synchronization

/// Takes new connections for one loop.
final class Listener: ReadinessHandler {
  private let descriptor: CInt
  private unowned let loop: ServerLoop
  private var watch: Watch?
  private var isPaused = false

  init(_ descriptor: CInt, _ loop: ServerLoop) throws(SystemError) {
    self.descriptor = descriptor
    self.loop = loop
    watch = try loop.reactor.watch(descriptor, .read, self)
  }

  func ready(_ events: Readiness) { accept(atMost: 64) }

  private func accept(atMost limit: Int) {
    for _ in 0..<limit {
      do {
        guard let (descriptor, peer) = try Socket.accept(descriptor) else { return }
        take(descriptor, peer)
      } catch {
        // Out of descriptors or memory: those who are served matter more than those who wait.
        return pause()
      }
    }
  }

  private func take(_ descriptor: CInt, _ peer: SocketAddress) {
    let plan = loop.plan
    let count = plan.connectionCount.value.add(1, ordering: .relaxed).newValue
    guard count <= plan.configuration.connectionsMax else {
      plan.connectionCount.value.subtract(1, ordering: .relaxed)
      plan.refused.add()
      let answer = Self.tooMany
      _ = answer.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
      return Socket.close(descriptor)
    }
    loop.add(descriptor, PeerAddress(peer))
  }

  private static let tooMany = Array(
    """
    HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n
    """.utf8)

  private func pause() {
    guard !isPaused, let watch else { return }
    isPaused = true
    loop.reactor.change(watch, to: [])
  }

  /// A descriptor may be free again.
  func resume() {
    guard isPaused, let watch else { return }
    isPaused = false
    loop.reactor.change(watch, to: .read)
  }

  /// Takes what the kernel has already accepted, then listens no more.
  func close() {
    accept(atMost: 100_000)
    if let watch { loop.reactor.cancel(watch) }
    watch = nil
    Socket.close(descriptor)
  }
}

extension PeerAddress {
  init(_ address: SocketAddress) {
    let bytes = address.ipBytes
    func word(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
    switch bytes.count {
    case 4: self = .ipv4(UInt32(word(0..<4)))
    case 16: self.init(ipv6High: word(0..<8), low: word(8..<16))
    default: self = .local
    }
  }
}
