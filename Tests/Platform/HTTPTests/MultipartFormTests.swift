import HTTP
import Testing

struct MultipartFormTests {
  private func form(_ text: String, boundary: String = "x") throws -> MultipartForm {
    try MultipartForm(Array(text.utf8)[...], boundary: Array(boundary.utf8))
  }

  private func text(_ part: MultipartForm.Part) -> String { String(decoding: part.content, as: UTF8.self) }

  @Test func `fields and a file are told apart, and content may be anything`() throws {
    let form = try form(
      "preamble\r\n--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--x  \r\n"
        + "content-disposition: form-data; name=file; filename=\"a \\\"b\\\" C:\\c.png\"\r\nContent-Type: image/png\r\n\r\n"
        + "\r\n--y\r\n-\r\n--x--\r\nepilogue")
    #expect(form.parts.map(\.name) == ["note", "file"])
    #expect(text(form.parts[0]) == "hello")
    let file = try #require(form.file)
    #expect(file.fileName == #"a "b" C:\c.png"#)
    #expect(file.contentType == "image/png")
    #expect(text(file) == "\r\n--y\r\n-")
  }

  @Test func `a part may be empty, and a form too`() throws {
    #expect(try form("--x\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--x--").parts.map(text) == [""])
    #expect(try form("--x--").parts.isEmpty)
  }

  @Test(arguments: [
    "", "hello", "--x", "--x\r\n", "--y--", "--x\r\n\r\nno end", "--xy\r\n\r\n\r\n--x--",
    "--x\r\nContent-Disposition: form-data\r\nno content\r\n--x--", "--x\nContent-Disposition: form-data\n\na\n--x--",
    "--x\r\nnonsense\r\n\r\na\r\n--x--", "--x\r\nContent-Disposition: attachment\r\n\r\na\r\n--x--",
    "--x\r\nContent-Disposition: form-data; name=\"open\r\n\r\na\r\n--x--",
  ])
  func `what is cut or malformed is refused`(text: String) {
    #expect(throws: HTTPError.self) { try form(text) }
  }

  @Test func `the number of parts and the size of a head are bounded`() throws {
    let part = "--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n"
    #expect(try form(String(repeating: part, count: 32) + "--x--").parts.count == 32)
    #expect(throws: HTTPError.self) { try form(String(repeating: part, count: 33) + "--x--") }
    let head = "--x\r\nContent-Disposition: form-data; name=a\r\nX: " + String(repeating: "a", count: 9000)
    #expect(throws: HTTPError.self) { try form(head + "\r\n\r\nb\r\n--x--") }
  }

  @Test(arguments: [
    ("multipart/form-data; boundary=abc", "abc"), ("Multipart/Form-Data;boundary=\"a b\"", "a b"),
    (
      "multipart/form-data; charset=utf-8; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
      "----WebKitFormBoundary7MA4YWxkTrZu0gW"
    ),
    ("multipart/form-data", nil), ("multipart/mixed; boundary=abc", nil), ("multipart/form-data; boundary=", nil),
    ("multipart/form-data; boundary=\"a\\b@\"", nil), ("multipart/form-data; boundary=\"a \"", nil), ("", nil),
  ])
  func `the boundary is found in the header`(header: String, boundary: String?) {
    #expect(MultipartForm.boundary(of: header.utf8).map { String(decoding: $0, as: UTF8.self) } == boundary)
  }
}
