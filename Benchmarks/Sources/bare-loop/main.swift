import CLinux
import Glibc
import Runtime

// The least that answers HTTP: one thread, one poll, one read and one write for each request, and the same bytes for
// everybody. It looks at nothing that it is sent. The real program is held against it.
//
//     bare-loop PORT FILE        FILE holds the whole answer, head and body

let arguments = CommandLine.arguments
guard arguments.count == 3, let port = UInt16(arguments[1]), let address = SocketAddress(host: "127.0.0.1", port: port),
  let file = fopen(arguments[2], "r")
else {
  print("usage: bare-loop PORT FILE")
  exit(64)
}
var answer = [UInt8](repeating: 0, count: 65_536)
answer.removeLast(answer.count - fread(&answer, 1, answer.count, file))

signal(SIGPIPE, SIG_IGN)
let listener = try Socket.listen(on: address, sharingPort: false)
let poll = clinux_poll_create()
clinux_poll_add(poll, listener, UInt32(CLINUX_READABLE), UInt64(listener))
var events = [clinux_event](repeating: clinux_event(), count: 256)
var input = [UInt8](repeating: 0, count: 16_384)

while true {
  let count = clinux_poll_wait(poll, &events, CInt(events.count), -1)
  for place in 0..<max(0, Int(count)) {
    let descriptor = CInt(truncatingIfNeeded: events[place].token)
    if descriptor == listener {
      while let (connection, _) = try Socket.accept(listener) {
        clinux_poll_add(poll, connection, UInt32(CLINUX_READABLE), UInt64(connection))
      }
    } else if read(descriptor, &input, input.count) > 0 {
      _ = write(descriptor, answer, answer.count)
    } else {
      close(descriptor)
    }
  }
}
