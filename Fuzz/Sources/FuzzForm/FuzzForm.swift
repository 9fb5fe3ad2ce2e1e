import Fuzzing
import HTTP

private let boundary = Array("x".utf8)
private let mark = Array("\r\n--x".utf8)

/// Forms with files: what is read lies in what came, and what a browser wraps comes out as it went in.
@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = bytes(start, count)
  if let found = MultipartForm.boundary(of: input) { check((1...70).contains(found.count), "a long boundary") }
  if let form = try? MultipartForm(input[...], boundary: boundary) {
    check(form.parts.count <= MultipartForm.mostParts, "\(form.parts.count) parts")
    var end = 0
    for part in form.parts {
      check(part.content.startIndex >= end && part.content.endIndex <= count, "a part outside of the body")
      check(Array(part.content).firstRange(of: mark) == nil, "a boundary in a part")
      end = part.content.endIndex
    }
  }
  let head = "--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\n"
  let wrapped = Array(head.utf8) + input + mark + Array("--\r\n".utf8)
  guard (mark.prefix(2) + input + mark).firstRange(of: mark)?.lowerBound == input.count + 2 else { return 0 }
  let form = try? MultipartForm(wrapped[...], boundary: boundary)
  check(form?.file.map { Array($0.content) } == input, "the file is not what was sent")
  return 0
}

@_cdecl("FuzzForm_main")
public func start(_ count: CInt, _ arguments: Arguments?) -> CInt { fuzz(count, arguments, test) }
