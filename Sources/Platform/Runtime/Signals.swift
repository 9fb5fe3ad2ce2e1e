import Dispatch
import Glibc

/// Signals as calls on a Dispatch queue.
public enum Signals {
  private static let queue = DispatchQueue(label: "signals")

  /// Calls `body` whenever the process gets `number`, instead of the signal's default effect, for the life of the process.
  public static func on(_ number: CInt, _ body: @escaping @Sendable () -> Void) {
    signal(number, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
    source.setEventHandler { body() }
    source.resume()
    _ = Unmanaged.passRetained(source as AnyObject)
  }
}
