import HTTPServer
import Runtime

extension LoopGroup {
  /// Ends a server that a test has started on these loops, and then the loops: a connection that is left would keep the server.
  public func end(_ server: HTTPServer) {
    loops[0].submit {
      await server.drain(within: .zero)
      stop()
    }
  }
}
