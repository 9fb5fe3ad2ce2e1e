import Basics
import Fuzzing

/// The small forms of the wire: what is read and written again must be what it was.
@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = bytes(start, count)
  if let instant = Instant(rfc3339: input) {
    check((Instant.distantPast...Instant.distantFuture).contains(instant), "an instant out of range")
    let written = Instant(rfc3339: instant.rfc3339)
    check(written.map { instant - $0 < .milliseconds(1) && $0 <= instant } == true, "\(instant) does not come back")
  }
  if let id = UUID(input) {
    check(UUID(id.description) == id && UUID(bytes: id.bytes) == id, "\(id) does not come back")
  }
  for alphabet in [Base64.Alphabet.standard, .url] {
    check(Base64.decode(Base64.encode(input, as: alphabet), as: alphabet) == input, "Base64 does not come back")
    guard let decoded = Base64.decode(input, as: alphabet) else { continue }
    check(decoded.count <= count, "\(decoded.count) bytes from \(count)")
    check(Base64.decode(Base64.encode(decoded, as: alphabet), as: alphabet) == decoded, "Base64 is not the same")
  }
  check(Hex.decode(Hex.encode(input)) == input, "hexadecimal does not come back")
  if let decoded = Hex.decode(input) {
    check(ASCII.equalIgnoringCase(Hex.encode(decoded).utf8, input), "hexadecimal is not the same")
  }
  if let number = ASCII.unsigned(input) {
    check(input.allSatisfy { (0x30...0x39).contains($0) }, "\(number) from more than digits")
    let digits = input.drop { $0 == 0x30 }
    check(String(number) == (digits.isEmpty ? "0" : String(decoding: digits, as: UTF8.self)), "\(number) is wrong")
  }
  return 0
}

@_cdecl("FuzzText_main")
public func start(_ count: CInt, _ arguments: Arguments?) -> CInt { fuzz(count, arguments, test) }
