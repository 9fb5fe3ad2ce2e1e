import Basics

/// One option of a command, as it stands on the command line.
struct Option: Sendable {
  /// With its dashes: `--port`.
  let name: String
  /// What follows it, for the help: `PORT`. Nil for a switch.
  let value: String?
  let summary: String
  let isRequired: Bool

  static func flag(_ name: String, _ summary: String) -> Option {
    Option(name: name, value: nil, summary: summary, isRequired: false)
  }

  static func value(_ name: String, _ value: String, _ summary: String, required: Bool = false) -> Option {
    Option(name: name, value: value, summary: summary, isRequired: required)
  }
}

/// The words after the command, read against the options that it takes.
struct Arguments {
  private var values: [String: String] = [:]
  private let known: [Option]
  /// The word without dashes, of commands that take one.
  private(set) var operand: String?

  /// `--name value` and `--name=value` mean the same. Nothing may be given twice or be unknown.
  init(_ words: some Sequence<String>, for options: [Option], operand wanted: String? = nil) throws(Failure) {
    known = options
    var rest = Array(words)[...]
    while let word = rest.popFirst() {
      if wanted != nil, operand == nil, !word.hasPrefix("--") {
        operand = word
        continue
      }
      guard word.hasPrefix("--") else { throw .usage("'\(word)' is not expected here") }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard let option = options.first(where: { $0.name == parts[0] }) else {
        throw .usage("there is no option \(parts[0])\(Self.suggestion(for: parts[0], among: options))")
      }
      guard values[option.name] == nil else { throw .usage("\(option.name) is given twice") }
      if let wanted = option.value {
        guard let value = parts.count == 2 ? parts[1] : rest.popFirst() else {
          throw .usage("\(option.name) needs a value: \(option.name) \(wanted)")
        }
        values[option.name] = value
      } else {
        guard parts.count == 1 else { throw .usage("\(option.name) takes no value") }
        values[option.name] = ""
      }
    }
    for option in options where option.isRequired && values[option.name] == nil {
      throw .usage("\(option.name) \(option.value ?? "") is missing")
    }
    if let wanted, operand == nil { throw .usage("\(wanted) is missing") }
  }

  func has(_ name: String) -> Bool { raw(name) != nil }

  func text(_ name: String) -> String? { raw(name) }

  func required(_ name: String) throws(Failure) -> String {
    guard let value = raw(name), !value.isEmpty else { throw .usage("\(name) is missing") }
    return value
  }

  func int(_ name: String, in range: ClosedRange<Int>) throws(Failure) -> Int? {
    guard let text = raw(name) else { return nil }
    guard let value = ASCII.unsigned(Array(text.utf8)), range.contains(value) else {
      throw .usage("\(name) takes a whole number from \(range.lowerBound) to \(range.upperBound), not '\(text)'")
    }
    return value
  }

  func duration(_ name: String) throws(Failure) -> Duration? {
    guard let text = raw(name) else { return nil }
    guard let value = Duration(setting: text) else {
      throw .usage("\(name) takes a time such as 90s, 15m or 2h, not '\(text)'")
    }
    return value
  }

  func instant(_ name: String) throws(Failure) -> Instant? {
    guard let text = raw(name) else { return nil }
    guard let value = Instant(rfc3339: text) ?? Instant(rfc3339: text + "T00:00:00Z") else {
      throw .usage("\(name) takes a date such as 2026-01-05 (UTC) or 2026-01-05T07:30:00Z, not '\(text)'")
    }
    return value
  }

  func uuid(_ name: String) throws(Failure) -> UUID? {
    guard let text = raw(name) else { return nil }
    guard let value = UUID(text) else { throw .usage("\(name) takes a UUID, not '\(text)'") }
    return value
  }

  func choice<T: RawRepresentable<String> & CaseIterable>(_ name: String, of type: T.Type) throws(Failure) -> T? {
    guard let text = raw(name) else { return nil }
    guard let value = T(rawValue: text) else {
      throw .usage("\(name) takes \(T.allCases.map(\.rawValue).joined(separator: ", ")), not '\(text)'")
    }
    return value
  }

  private func raw(_ name: String) -> String? {
    precondition(known.contains { $0.name == name }, "the command has no option \(name)")
    return values[name]
  }

  private static func suggestion(for word: String, among options: [Option]) -> String {
    let close = options.map(\.name).filter { $0.hasPrefix(word) || word.hasPrefix($0) }
    return close.count == 1 ? "; did you mean \(close[0])?" : ""
  }
}

extension Duration {
  /// `250ms`, `90s`, `15m`, `2h`, `7d`; a number alone is seconds. Nil for anything else and above a hundred years.
  init?(setting text: String) {
    let digits = text.utf8.prefix { (0x30...0x39).contains($0) }
    guard let count = ASCII.unsigned(Array(digits)), count <= 3_153_600_000 else { return nil }
    switch text.dropFirst(digits.count) {
    case "ms": self = .milliseconds(count)
    case "", "s": self = .seconds(count)
    case "m" where count <= 52_560_000: self = .minutes(count)
    case "h" where count <= 876_000: self = .hours(count)
    case "d" where count <= 36_500: self = .days(count)
    default: return nil
    }
  }
}
