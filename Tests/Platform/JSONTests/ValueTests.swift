import JSON
import Testing

@Suite struct ValueTests {
  @Test("values are found by name and place") func lookups() throws {
    let root = try JSONValue.parse(Samples.uplink)
    #expect(root.kind == .object)
    #expect(root.count == 4)
    #expect(root["end_device_ids"]?["application_ids"]?["application_id"]?.string == "acme-cold")
    #expect(root[key: "correlation_ids"]?[1]?.string == "gs:uplink:01J1")
    #expect(root["correlation_ids"]?[3] == nil)
    #expect(root["correlation_ids"]?[-1] == nil)
    #expect(root["correlation_ids"]?["a"] == nil)
    #expect(root[0] == nil)
    #expect(root["absent"] == nil)
    #expect(root["uplink_message"]?["confirmed"]?.bool == true)
    #expect(root["uplink_message"]?["simulated"]?.bool == false)
    #expect(root["uplink_message"]?["locations"]?.isNull == true)
    #expect(root["uplink_message"]?["locations"]?.bool == nil)
    #expect(root["uplink_message"]?["decoded_payload"]?["TempC_SHT"]?.double == -2.78)
    #expect(root.members.map(\.key) == ["end_device_ids", "correlation_ids", "received_at", "uplink_message"])
  }

  @Test("escapes are resolved, in keys too") func escapes() throws {
    let root = try JSONValue.parse(#"{"\u0061\"\\\/\b\f\n\r\t":"\ud834\udd1e\u20AC\u00e9\u0000z"}"#)
    let key = "a\"\\/\u{8}\u{C}\n\r\t"
    #expect(root[key: key]?.string == "\u{1D11E}€é\u{0}z")
    #expect(root.members.map(\.key) == [key])
    #expect(root[key: key]?.withStringBytes { $0.count } == 4 + 3 + 2 + 1 + 1)
    #expect(root.withStringBytes { $0.count } == nil)
  }

  @Test("the source text of a value is kept as it came") func rawText() throws {
    let root = try JSONValue.parse(#" { "a" : [ 1.50 , "x\n" ] , "b" : -0 } "#)
    #expect(String(decoding: root.rawBytes, as: UTF8.self) == #"{ "a" : [ 1.50 , "x\n" ] , "b" : -0 }"#)
    #expect(root["a"].map { String(decoding: $0.rawBytes, as: UTF8.self) } == #"[ 1.50 , "x\n" ]"#)
    #expect(root["a"]?[1].map { String(decoding: $0.rawBytes, as: UTF8.self) } == #""x\n""#)
    #expect(root["b"].map { String(decoding: $0.rawBytes, as: UTF8.self) } == "-0")
  }

  @Test("nesting and siblings do not mix up their counts") func counts() throws {
    let root = try JSONValue.parse(#"[[],[[1,2],[3]],{"a":{},"b":{"c":[1,2,3]}},4]"#)
    #expect(root.count == 4)
    #expect(root.elements.map(\.count) == [0, 2, 2, 0])
    #expect(root[1]?.elements.map(\.count) == [2, 1])
    #expect(root[2]?["b"]?["c"]?.elements.compactMap(\.int) == [1, 2, 3])
    #expect(root[3]?.int == 4)
  }

  @Test("equal keys are refused, however they are written and however many there are", arguments: [2, 24, 25, 300])
  func duplicates(_ count: Int) throws {
    let keys = (0..<count - 1).map { #""aCommonPrefix\#($0)":{"x":[\#($0)]}"# }
    for twin in [#""aCommonPrefix0""#, #""\u0061CommonPrefix0""#] {
      let text = "{" + (keys + ["\(twin):1"]).joined(separator: ",") + "}"
      let error = try #require(throws: JSONError.self) { try JSONDocument(Array(text.utf8)) }
      #expect(error.reason == "a key that its object already has")
      let twice = try JSONDocument(Array(text.utf8), limits: JSONLimits(allowsDuplicateKeys: true)).root
      #expect(twice["aCommonPrefix0"]?.kind == .object, "the first counts")
      #expect(twice.count == count)
    }
    let apart = "{" + (keys + [#""aCommonPrefix":1"#]).joined(separator: ",") + "}"
    #expect(try JSONValue.parse(apart).count == count)
  }

  @Test(
    "keys at the end of the text are compared like any other", arguments: ["", "a", "abcdefg", "abcdefgh", "abcdefghi"])
  func duplicatesAtTheEnd(_ key: String) {
    #expect(throws: JSONError.self) { try JSONDocument(Array(#"{"\#(key)":1,"\#(key)":1}"#.utf8)) }
    #expect(throws: Never.self) { try JSONDocument(Array(#"{"\#(key)":1,"\#(key)x":1}"#.utf8)) }
  }

  @Test("the same key in different objects is no duplicate") func nestedKeys() throws {
    #expect(try JSONValue.parse(#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}"#)["b"]?.count == 2)
  }
}
