import Basics

/// Writes one line for each event: JSON, or text for people. Safe to use from any thread; lines never mix.
///
///     let log = Log(level: .info)
///     log.info("listening", ["address": "127.0.0.1", "port": .int(port)])
public struct Log: Sendable {
  public enum Level: UInt8, Sendable, Comparable, CaseIterable {
    case trace, debug, info, warn, error

    public static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }

    public init?(_ name: String) {
      guard let level = Level.allCases.first(where: { $0.name == name }) else { return nil }
      self = level
    }

    public var name: String {
      switch self {
      case .trace: "trace"
      case .debug: "debug"
      case .info: "info"
      case .warn: "warn"
      case .error: "error"
      }
    }
  }

  public enum Format: String, Sendable, CaseIterable {
    case json
    case text
  }

  /// Gets whole lines, each with its newline. Called on the thread that logs.
  public typealias Sink = @Sendable (_ line: [UInt8], _ level: Level) -> Void

  public let level: Level
  private let format: Format
  private let clock: WallClock
  private let sink: Sink
  private var context: [LogField] = []

  public init(
    level: Level = .info, format: Format = .json, clock: WallClock = .system,
    sink: @escaping Sink = LogOutput.standard.sink
  ) {
    self.level = level
    self.format = format
    self.clock = clock
    self.sink = sink
  }

  /// Keeps nothing.
  public static let none = Log(level: .error, sink: { _, _ in })

  /// The same log with `fields` on every line. A field of the same name replaces the earlier one.
  public func with(_ fields: LogFields) -> Log {
    var log = self
    log.context = fields.over(context)
    return log
  }

  public func isEnabled(_ level: Level) -> Bool { level >= self.level }

  public func trace(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
    write(.trace, message, fields)
  }

  public func debug(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
    write(.debug, message, fields)
  }

  public func info(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
    write(.info, message, fields)
  }

  public func warn(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
    write(.warn, message, fields)
  }

  public func error(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]) {
    write(.error, message, fields)
  }

  public func log(
    _ level: Level, _ message: @autoclosure () -> String, _ fields: @autoclosure () -> LogFields = [:]
  ) {
    write(level, message, fields)
  }

  private func write(_ level: Level, _ message: () -> String, _ fields: () -> LogFields) {
    guard level >= self.level else { return }
    let line = LogLine(time: clock.now(), level: level, message: message(), fields: fields().over(context))
    sink(format == .json ? line.json : line.text, level)
  }
}

public struct LogField: Sendable, Equatable {
  public let name: String
  public let value: LogValue
}

/// The fields of one line, in the order in which they were written.
public struct LogFields: Sendable, ExpressibleByDictionaryLiteral {
  public var fields: [LogField]

  public init(dictionaryLiteral elements: (String, LogValue)...) {
    fields = elements.map { LogField(name: $0.0, value: $0.1) }
  }

  public subscript(name: String) -> LogValue? {
    get { fields.first { $0.name == name }?.value }
    set {
      fields.removeAll { $0.name == name }
      if let newValue { fields.append(LogField(name: name, value: newValue)) }
    }
  }

  func over(_ context: [LogField]) -> [LogField] {
    if fields.isEmpty { return context }
    return context.filter { old in !fields.contains { $0.name == old.name } } + fields
  }
}

public enum LogValue: Sendable, Equatable {
  case string(String)
  case int(Int)
  case double(Double)
  case bool(Bool)
  case null

  /// An error as its own description.
  public static func error(_ error: any Error) -> LogValue { .string(String(describing: error)) }

  public static func uuid(_ id: UUID) -> LogValue { .string(id.description) }

  /// Milliseconds with three places, for fields named `..._ms`.
  public static func milliseconds(_ duration: Duration) -> LogValue { .double(Double(duration.microseconds) / 1000) }
}

extension LogValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral, ExpressibleByNilLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int) { self = .int(value) }
  public init(floatLiteral value: Double) { self = .double(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(nilLiteral: ()) { self = .null }
}
