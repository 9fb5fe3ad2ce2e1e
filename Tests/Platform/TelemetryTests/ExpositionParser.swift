/// A strict reader of the two text formats, for tests: it refuses what a careful scraper would refuse.
struct Page {
  struct Sample: Equatable {
    var name: String
    var labels: [String: String]
    var value: Double
  }

  struct Family {
    var name: String
    var help: String?
    var kind: String?
    var samples: [Sample] = []
  }

  struct Wrong: Error, CustomStringConvertible {
    var description: String
  }

  var families: [Family] = []

  subscript(name: String) -> Family? { families.first { $0.name == name } }

  func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
    families.flatMap(\.samples).first { $0.name == name && $0.labels == labels }?.value
  }

  init(_ bytes: [UInt8], openMetrics: Bool) throws {
    guard let text = String(validating: bytes, as: UTF8.self) else { throw Wrong(description: "not UTF-8") }
    guard text.hasSuffix("\n") else { throw Wrong(description: "no newline at the end") }
    var lines = text.dropLast().split(separator: "\n", omittingEmptySubsequences: false)
    if openMetrics {
      guard lines.popLast() == "# EOF" else { throw Wrong(description: "no # EOF") }
    }
    for line in lines { try read(line, openMetrics: openMetrics) }
    for family in families {
      guard family.help != nil, let kind = family.kind else { throw Wrong(description: "\(family.name): no type") }
      if kind == "histogram" { try checkHistogram(family) }
    }
    let all = families.flatMap(\.samples).map { "\($0.name)\($0.labels.sorted { $0.key < $1.key })" }
    guard Set(all).count == all.count else { throw Wrong(description: "a series comes twice") }
  }

  private mutating func read(_ line: Substring, openMetrics: Bool) throws {
    if line.hasPrefix("# HELP ") || line.hasPrefix("# TYPE ") {
      let rest = line.dropFirst(7)
      guard let space = rest.firstIndex(of: " ") else { throw Wrong(description: "short: \(line)") }
      let name = String(rest[..<space])
      let value = String(rest[rest.index(after: space)...])
      if families.last?.name != name {
        guard self[name] == nil else { throw Wrong(description: "\(name) is in two places") }
        families.append(Family(name: name))
      }
      let last = families.count - 1
      if line.hasPrefix("# HELP ") {
        guard families[last].help == nil else { throw Wrong(description: "two helps: \(name)") }
        families[last].help = value
      } else {
        guard families[last].kind == nil, families[last].samples.isEmpty else {
          throw Wrong(description: "late type: \(name)")
        }
        families[last].kind = value
      }
      return
    }
    guard !line.hasPrefix("#"), !line.isEmpty else { throw Wrong(description: "stray line: \(line)") }
    guard let last = families.indices.last else { throw Wrong(description: "sample before a family") }
    let sample = try Self.sample(line)
    let suffixes: [String] =
      switch families[last].kind {
      case "histogram": ["_bucket", "_sum", "_count"]
      case "counter": openMetrics ? ["_total"] : [""]
      default: [""]
      }
    guard suffixes.contains(where: { families[last].name + $0 == sample.name }) else {
      throw Wrong(description: "\(sample.name) does not belong to \(families[last].name)")
    }
    families[last].samples.append(sample)
  }

  private static func sample(_ line: Substring) throws -> Sample {
    var rest = line
    func fail() -> Wrong { Wrong(description: "bad sample: \(line)") }
    func name() throws -> String {
      let name = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") }
      guard let first = name.first, !first.isNumber else { throw fail() }
      rest = rest.dropFirst(name.count)
      return String(name)
    }
    var sample = Sample(name: try name(), labels: [:], value: 0)
    if rest.first == "{" {
      rest.removeFirst()
      while true {
        let label = try name()
        guard rest.hasPrefix("=\"") else { throw fail() }
        rest = rest.dropFirst(2)
        var value = ""
        while let next = rest.popFirst(), next != "\"" {
          guard next == "\\" else {
            value.append(next)
            continue
          }
          switch rest.popFirst() {
          case "\\": value.append("\\")
          case "\"": value.append("\"")
          case "n": value.append("\n")
          default: throw fail()
          }
        }
        guard sample.labels.updateValue(value, forKey: label) == nil else { throw fail() }
        guard let mark = rest.popFirst() else { throw fail() }
        if mark == "}" { break }
        guard mark == "," else { throw fail() }
      }
    }
    guard rest.popFirst() == " " else { throw fail() }
    switch rest {
    case "+Inf": sample.value = .infinity
    case "-Inf": sample.value = -.infinity
    case "NaN": sample.value = .nan
    default:
      guard rest.allSatisfy({ "0123456789.eE+-".contains($0) }), let value = Double(rest) else { throw fail() }
      sample.value = value
    }
    return sample
  }

  /// Buckets ascend, end at +Inf, and the last equals the count.
  private func checkHistogram(_ family: Family) throws {
    var last: [[String: String]: (bound: Double, count: Double)] = [:]
    for sample in family.samples where sample.name.hasSuffix("_bucket") {
      var labels = sample.labels
      guard let text = labels.removeValue(forKey: "le"), let bound = text == "+Inf" ? .infinity : Double(text) else {
        throw Wrong(description: "\(family.name): a bucket without le")
      }
      if let before = last[labels], before.bound >= bound || before.count > sample.value {
        throw Wrong(description: "\(family.name): buckets do not ascend")
      }
      last[labels] = (bound, sample.value)
    }
    for (labels, end) in last {
      guard end.bound == .infinity, value("\(family.name)_count", labels) == end.count,
        value("\(family.name)_sum", labels) != nil
      else { throw Wrong(description: "\(family.name): no end") }
    }
  }
}
