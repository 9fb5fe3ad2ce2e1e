import Testing

@testable import HTTP

/// The data, or the error, and how many bytes belonged to the body.
private func outcome(_ bytes: [UInt8], pieces: [Int] = []) -> String {
  var decoder = ChunkedDecoder()
  var data: [UInt8] = []
  var position = 0
  var end = 0
  for piece in pieces + [bytes.count - pieces.reduce(0, +)] {
    end += piece
    while position < end, !decoder.isFinished {
      do {
        let found = try decoder.decode(bytes.span, from: &position, to: end)
        data += bytes[found]
      } catch {
        return "\(error)"
      }
    }
  }
  return "\(decoder.isFinished ? "finished" : "incomplete") \(position) \(String(decoding: data, as: UTF8.self))"
}

private func outcome(_ text: String) -> String { outcome(Array(text.utf8)) }

@Suite("Chunked bodies")
struct ChunkedDecoderTests {
  static let accepted = [
    ("0\r\n\r\n", "finished 5 "), ("5\r\nhello\r\n0\r\n\r\n", "finished 15 hello"),
    ("2\r\nhe\r\n003\r\nllo\r\n000\r\n\r\nGET /", "finished 24 hello"),
    ("a;x=y;z=\"1\"\r\n0123456789\r\n0\r\n\r\n", "finished 30 0123456789"),
    ("A\r\n0123456789\r\n0\r\nTrailer: x\r\nOther:\r\n\r\n", "finished 40 0123456789"),
    ("5\r\nhel", "incomplete 6 hel"), ("5\r\nhello\r\n0\r\n", "incomplete 13 hello"),
  ]

  @Test("chunks become their data, wherever they are cut", arguments: accepted)
  func accepts(_ text: String, _ wanted: String) {
    let bytes = Array(text.utf8)
    #expect(outcome(bytes) == wanted)
    for cut in bytes.indices { #expect(outcome(bytes, pieces: [cut]) == wanted, "cut at \(cut)") }
    #expect(outcome(bytes, pieces: Array(repeating: 1, count: bytes.count - 1)) == wanted)
  }

  @Test(
    "a bad chunk is refused, wherever it is cut",
    arguments: [
      "+a\r\n", "-1\r\n", "0x1\r\n", "1_0\r\n", "\r\n", " 5\r\nhello", "5 \r\nhello", "g\r\n", ";x\r\n",
      "00000000000000005\r\nhello", "ffffffffffffffff\r\n", "8000000000000000\r\n", "5\nhello", "5\r\rhello",
      "5\r\nhello\n", "5\r\nhello!\r\n", "5\r\nhello0\r\n\r\n", "5;a\nb\r\nhello", "5;\0\r\n", "0\r\n\n", "0\r\n x\r\n",
      "0\r\nA b: c\r\n\r\n", "0\r\nA: b\n\r\n", "0\r\nA: \0\r\n\r\n", "0\r\n:\r\n",
    ])
  func refuses(_ text: String) {
    let bytes = Array(text.utf8)
    let whole = outcome(bytes)
    #expect(whole.hasPrefix("malformed"), "\(whole)")
    for cut in bytes.indices { #expect(outcome(bytes, pieces: [cut]) == whole, "cut at \(cut)") }
  }

  @Test("framing may not outweigh the data") func overhead() {
    #expect(
      outcome("1;" + String(repeating: "x", count: 9000) + "\r\na\r\n0\r\n\r\n") == "malformed(\"chunk overhead\")")
    let trailers = (0..<1000).map { "X-\($0): y\r\n" }.joined()
    #expect(outcome("0\r\n" + trailers + "\r\n") == "malformed(\"chunk overhead\")")
    let single = String(repeating: "1\r\na\r\n", count: 20_000) + "0\r\n\r\n"
    #expect(outcome(single).hasPrefix("finished"))
  }
}
