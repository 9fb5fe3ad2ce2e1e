import Basics
import HTTP

/// One setting of the environment. The table of them is the only place where a setting is described: parsing,
/// `freshtrack settings` and docs/SETTINGS.md come from it.
struct Setting: Sendable {
  enum Kind: Sendable, Equatable {
    case text
    case integer(ClosedRange<Int>)
    case duration
    case flag
    case choice([String])
    /// Separated by commas.
    case list
    /// Separated by commas, each an address or a block such as `10.0.0.0/8`.
    case addressBlocks
    /// Starts with `https://` or `http://`.
    case url
    /// Separated by commas, each of 32 bytes in hexadecimal digits.
    case encryptionKeys
  }

  let name: String
  let kind: Kind
  /// As it would be written in the environment. Nil: unset.
  let fallback: String?
  let summary: String
  /// Never printed.
  var isSecret = false
  /// When it has to be set, in words. Nil: never.
  var requirement: String?
  /// The name that it had in the earlier system, which counts when the new one is not set.
  var formerName: String?
  /// What the kind does not say of a value: the problem with it, or nil.
  var check: (@Sendable (String) -> String?)?

  /// The problem with this value, to follow the name of the setting. Nil: it is fine.
  func problem(with value: String) -> String? { problemOfKind(value) ?? check?(value) }

  private func problemOfKind(_ value: String) -> String? {
    switch kind {
    case .text, .list: nil
    case .integer(let range):
      ASCII.unsigned(Array(value.utf8)).map(range.contains) == true
        ? nil : "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .duration: Duration(setting: value) != nil ? nil : "must be a time such as 500ms, 10s, 5m or 1h"
    case .flag: Self.flag(value) != nil ? nil : "must be true or false"
    case .choice(let choices): choices.contains(value) ? nil : "must be one of \(choices.joined(separator: ", "))"
    case .addressBlocks:
      Self.items(value).first { AddressBlock($0) == nil }
        .map { "must be addresses or blocks such as 10.0.0.0/8, separated by commas; '\($0)' is none" }
    case .url:
      value.hasPrefix("https://") || value.hasPrefix("http://") ? nil : "must start with https:// or http://"
    case .encryptionKeys:
      Self.encryptionKeys(value) != nil
        ? nil : "must be 64 hexadecimal digits, as `openssl rand -hex 32` makes them; several are separated by commas"
    }
  }

  static func flag(_ value: String) -> Bool? {
    switch value {
    case "true", "1", "yes", "on": true
    case "false", "0", "no", "off": false
    default: nil
    }
  }

  static func items(_ value: String) -> [String] {
    value.split(separator: ",").map { item in
      String(item.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }.filter { !$0.isEmpty }
  }

  /// Nil when one of them has another length, or there is none.
  static func encryptionKeys(_ value: String) -> [[UInt8]]? {
    let items = items(value)
    let keys = items.compactMap { Hex.decode($0) }.filter { $0.count == 32 }
    return keys.isEmpty || keys.count != items.count ? nil : keys
  }

  /// What the value may be, in words.
  var expectation: String {
    switch kind {
    case .text: "text"
    case .integer(let range): "whole number, \(range.lowerBound) to \(range.upperBound)"
    case .duration: "time: `500ms`, `10s`, `5m`, `1h`"
    case .flag: "`true` or `false`"
    case .choice(let choices): choices.map { "`\($0)`" }.joined(separator: ", ")
    case .list: "list, separated by commas"
    case .addressBlocks: "addresses or blocks such as `10.0.0.0/8`, separated by commas"
    case .url: "URL"
    case .encryptionKeys: "64 hexadecimal digits, or several of these separated by commas"
    }
  }
}
