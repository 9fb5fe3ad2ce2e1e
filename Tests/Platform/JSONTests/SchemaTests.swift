import JSON
import Testing

@Suite struct SchemaTests {
  private enum Scale: String, CaseIterable { case celsius = "C", fahrenheit = "F" }

  private static func json(_ schema: Schema) -> String {
    String(decoding: JSONWriter.bytes { schema.write(to: &$0) }, as: UTF8.self)
  }

  @Test("the code that takes fields describes them") func description() {
    let schema = Fields.describe { fields in
      _ = fields.string("name", 1...120)
      _ = fields.optionalDecimal("max", in: -100...100)
      _ = fields.choice("scale", default: Scale.celsius)
      _ = fields.objects("readings", count: 1...5) { ($0.uuid("unitId"), $0.optionalInt("battery", in: 0...100)) }
      let isPlaced = fields.optionalObject("place") { $0.double("latitude", in: -90...90) } != nil
      if !isPlaced { fields.problem("place", "is missing") }
    }
    #expect(
      Self.json(schema)
        == #"""
        {"type":"object","properties":{"name":{"type":"string","minLength":1,"maxLength":120},\#
        "max":{"type":["number","null"],"minimum":-100,"maximum":100,"description":"At most two decimal places."},\#
        "scale":{"type":["string","null"],"enum":["C","F",null],"default":"C"},\#
        "readings":{"type":"array","items":{"type":"object","properties":{"unitId":{"type":"string","format":"uuid"},\#
        "battery":{"type":["integer","null"],"minimum":0,"maximum":100}},"required":["unitId"]},"minItems":1,"maxItems":5},\#
        "place":{"type":["object","null"],"properties":{"latitude":{"type":"number","minimum":-90,"maximum":90}},\#
        "required":["latitude"]}},"required":["name","readings"]}
        """#)
  }

  @Test("an object with a name is referred to, and found once") func names() {
    let site = Schema.object("Site", [.uuid("id")])
    let list = Schema.array(of: .object([.value("site", site), .value("other", site.orNull).optional]))
    #expect(
      Self.json(list)
        == #"""
        {"type":"array","items":{"type":"object","properties":{"site":{"$ref":"#/components/schemas/Site"},\#
        "other":{"anyOf":[{"$ref":"#/components/schemas/Site"},{"type":"null"}]}},"required":["site"]}}
        """#)
    #expect(list.named == ["Site": site])
  }
}
