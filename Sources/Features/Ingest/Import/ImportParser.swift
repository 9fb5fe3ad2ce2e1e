import Basics
import ColdChain
import Devices
import JSON
import Readings

/// Reads pieces of a CSV file (RFC 4180, header first) or of lines of JSON objects. Pieces end with a line.
struct ImportParser: Sendable {
  enum Format: String, Sendable, CaseIterable { case csv, ndjson }

  static let secondary = Reading.Flags.secondary.rawValue
  private static let lineMax = 64 * 1024
  /// The oldest time that is believed.
  private static let oldest = Instant(seconds: 946_684_800)

  let directory: ImportDirectory
  let format: Format
  let temperatureUnit: TemperatureUnit
  let now: Instant
  /// By their places in the file; nil for a column that is not known. For CSV only.
  var header: [ImportColumn?] = []
  var separator = UInt8(ascii: ",")

  /// Takes the header line. Returns the names of columns that are ignored; throws what is missing.
  mutating func readHeader(_ line: ArraySlice<UInt8>) throws(ImportRefusal) -> [String] {
    var text = line
    if text.starts(with: [0xEF, 0xBB, 0xBF]) { text = text.dropFirst(3) }
    if text.last == 0x0D { text.removeLast() }
    if !text.contains(0x2C), text.contains(0x3B) { separator = 0x3B }
    var ignored: [String] = []
    header = []
    for field in text.split(separator: separator, omittingEmptySubsequences: false) {
      let name = field.filter { $0 != 0x22 }
      let column = ImportColumn(named: name)
      if column == nil { ignored.append(String(decoding: name, as: UTF8.self)) }
      if let column, header.contains(column) { throw ImportRefusal("the column \(column.name) is there twice") }
      header.append(column)
    }
    guard header.contains(.recordedAt) else { throw ImportRefusal("the header has no column recorded_at") }
    guard [.devEUI, .deviceId, .unitId].contains(where: header.contains) else {
      throw ImportRefusal("the header has no column dev_eui, device_id or unit_id")
    }
    guard [.celsius, .fahrenheit, .doorOpen].contains(where: header.contains) else {
      throw ImportRefusal("the header has no column temperature, temperature_f or door_open")
    }
    return ignored
  }

  /// - Parameter firstLine: the number of the first line of `bytes`, from 1.
  func read(_ bytes: [UInt8], firstLine: Int) -> ImportChunk {
    var chunk = ImportChunk()
    var rows = CopyRows(capacity: bytes.count * 3)
    var reader = ImportRowReader(self)
    bytes.withUnsafeBufferPointer { text in
      var start = 0
      while start < text.count {
        var end = start
        while end < text.count, text[end] != 0x0A { end += 1 }
        let number = firstLine + chunk.lines
        chunk.lines += 1
        var stop = end
        if stop > start, text[stop - 1] == 0x0D { stop -= 1 }
        let line = UnsafeBufferPointer(rebasing: text[start..<stop])
        start = end + 1
        if line.isEmpty { continue }
        guard line.count <= Self.lineMax else {
          chunk.refuse(number, "the line is longer than \(Self.lineMax) bytes")
          continue
        }
        switch reader.read(line) {
        case .success(let row):
          rows.append(row, receivedAt: now, source: "import")
          chunk.note(row, row.unitId.flatMap { directory.units[$0] })
        case .failure(let refusal): chunk.refuse(number, refusal.description)
        }
      }
    }
    chunk.bytes = rows.bytes
    return chunk
  }

  static func isBelievable(_ instant: Instant, now: Instant) -> Bool {
    instant >= oldest && instant <= now + .minutes(5)
  }
}

/// Why something cannot be imported, for whoever does.
public struct ImportRefusal: Error, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}

/// Reads one row after another.
struct ImportRowReader {
  private let parser: ImportParser
  private var clock = ImportClock()
  private var cells = [ImportCell?](repeating: nil, count: ImportColumn.allCases.count)
  /// Ids of rows that are made one after another lie side by side.
  private var nextId: UUID

  init(_ parser: ImportParser) {
    self.parser = parser
    nextId = .v7(at: parser.now)
  }

  mutating func read(_ line: UnsafeBufferPointer<UInt8>) -> Result<ImportRow, ImportRefusal> {
    do throws(ImportRefusal) {
      switch parser.format {
      case .ndjson: return .success(try readObject(line))
      case .csv where line.contains(0x22): return .success(try readQuoted(line))
      case .csv:
        try split(line)
        return .success(try row())
      }
    } catch {
      return .failure(error)
    }
  }

  // MARK: - Cells

  private mutating func clear() {
    for place in cells.indices { cells[place] = nil }
  }

  private mutating func split(_ line: UnsafeBufferPointer<UInt8>) throws(ImportRefusal) {
    clear()
    var start = 0
    var place = 0
    var end = 0
    while end <= line.count {
      if end == line.count || line[end] == parser.separator {
        guard place < parser.header.count else { throw ImportRefusal("has more cells than the header") }
        if let column = parser.header[place], end > start {
          cells[column.rawValue] = ImportCell(bytes: UnsafeBufferPointer(rebasing: line[start..<end]))
        }
        place += 1
        start = end + 1
      }
      end += 1
    }
    guard place == parser.header.count else { throw ImportRefusal("has fewer cells than the header") }
  }

  /// A line with quotes is written anew without them, its cells divided by NUL.
  private mutating func readQuoted(_ line: UnsafeBufferPointer<UInt8>) throws(ImportRefusal) -> ImportRow {
    var plain: [UInt8] = []
    var ends: [Int] = []
    var isQuoted = false
    var at = 0
    while at < line.count {
      let byte = line[at]
      if byte == 0x22, isQuoted, at + 1 < line.count, line[at + 1] == 0x22 {
        plain.append(byte)
        at += 1
      } else if byte == 0x22 {
        isQuoted.toggle()
      } else if byte == parser.separator, !isQuoted {
        ends.append(plain.count)
      } else {
        plain.append(byte)
      }
      at += 1
    }
    guard !isQuoted else { throw ImportRefusal("a quoted cell does not end on its line") }
    ends.append(plain.count)
    guard ends.count == parser.header.count else { throw ImportRefusal("has not as many cells as the header") }
    clear()
    return try plain.withUnsafeBufferPointer { text throws(ImportRefusal) in
      var start = 0
      for (place, end) in ends.enumerated() {
        if let column = parser.header[place], end > start {
          cells[column.rawValue] = ImportCell(bytes: UnsafeBufferPointer(rebasing: text[start..<end]))
        }
        start = end
      }
      return try row()
    }
  }

  private mutating func readObject(_ line: UnsafeBufferPointer<UInt8>) throws(ImportRefusal) -> ImportRow {
    let root: JSONValue
    do { root = try JSONDocument(Array(line)).root } catch { throw ImportRefusal("is not JSON: \(error)") }
    guard root.kind == .object else { throw ImportRefusal("is no JSON object") }
    var plain: [UInt8] = []
    var found: [(column: ImportColumn, range: Range<Int>)] = []
    for (key, value) in root.members {
      guard let column = ImportColumn(named: key.utf8), !value.isNull else { continue }
      let start = plain.count
      if let text = value.string { plain += text.utf8 } else { plain += value.rawBytes }
      if plain.count > start { found.append((column, start..<plain.count)) }
    }
    clear()
    return try plain.withUnsafeBufferPointer { text throws(ImportRefusal) in
      for (column, range) in found {
        cells[column.rawValue] = ImportCell(bytes: UnsafeBufferPointer(rebasing: text[range]))
      }
      return try row()
    }
  }

  // MARK: - The row

  private func cell(_ column: ImportColumn) -> ImportCell? { cells[column.rawValue] }

  private mutating func row() throws(ImportRefusal) -> ImportRow {
    guard let time = cell(.recordedAt) else { throw ImportRefusal("recorded_at is missing") }
    guard let recordedAt = clock.instant(time) else {
      throw wrong(.recordedAt, "a date-time with its zone, such as 2026-01-05T07:30:00Z, or Unix time")
    }
    guard ImportParser.isBelievable(recordedAt, now: parser.now) else {
      throw ImportRefusal("recorded_at must be from 2000 to now, and is \(time.text)")
    }
    let device = try device()
    let assignment = device?.assignment(at: recordedAt)
    let unit = try unit() ?? assignment?.unitId
    guard device != nil || unit != nil else { throw ImportRefusal("dev_eui, device_id and unit_id are missing") }
    let temperature = try temperature()
    let doorOpen = try value(.doorOpen, "true or false") { $0.truth }
    guard temperature != nil || doorOpen != nil else { throw ImportRefusal("has neither a temperature nor a door") }
    var flags = Reading.Flags.backfill
    if let assignment, !assignment.isPrimary, assignment.unitId == unit { flags.insert(.secondary) }
    nextId = UUID(high: nextId.high, low: 0x8000_0000_0000_0000 | (nextId.low &+ 1) & 0x3FFF_FFFF_FFFF_FFFF)
    return ImportRow(
      id: nextId, organizationId: parser.directory.organizationId, unitId: unit, deviceId: device?.deviceId,
      recordedAt: recordedAt,
      frameCounter: try value(.frameCounter, "a frame counter") { $0.whole(in: 0...4_294_967_295) },
      battery: try value(.battery, "0 to 100 percent") { $0.whole(in: 0...100).map { Int16($0) } },
      signalStrength: try value(.signalStrength, "-200 to 100 dBm") { cell in
        cell.scaled(0).flatMap { (-200...100).contains($0) ? Int16($0) : nil }
      },
      port: try value(.port, "0 to 255") { $0.whole(in: 0...255).map { Int16($0) } }, flags: flags.rawValue,
      doorOpen: doorOpen, temperature: temperature,
      humidity: try value(.humidity, "0 to 100 percent") { cell in
        cell.scaled(2).flatMap { (0...10_000).contains($0) ? Int32($0) : nil }
      },
      millivolts: try value(.batteryVoltage, "0 to 65 V") { cell in
        cell.scaled(3).flatMap { (0...65_535).contains($0) ? Int32($0) : nil }
      },
      snr: try value(.snr, "-100 to 100 dB") { cell in
        cell.scaled(2).flatMap { (-10_000...10_000).contains($0) ? Int32($0) : nil }
      },
      payload: try value(.payload, "at most 512 bytes in hexadecimal digits") { cell in
        cell.bytes.count <= 1024 ? Hex.decode(cell.text) : nil
      })
  }

  private func device() throws(ImportRefusal) -> DeviceEntry? {
    if let cell = cell(.devEUI) {
      guard let eui = EUI64(cell.bytes) else { throw wrong(.devEUI, "16 hexadecimal digits") }
      guard let device = parser.directory.device(eui: eui) else { throw unknown(.devEUI, "device", cell) }
      return device
    }
    guard let cell = cell(.deviceId) else { return nil }
    guard let id = UUID(cell.bytes) else { throw wrong(.deviceId, "a UUID") }
    guard let device = parser.directory.device(id: id) else { throw unknown(.deviceId, "device", cell) }
    return device
  }

  private func unit() throws(ImportRefusal) -> UUID? {
    guard let cell = cell(.unitId) else { return nil }
    guard let id = UUID(cell.bytes) else { throw wrong(.unitId, "a UUID") }
    guard parser.directory.units[id] != nil else { throw unknown(.unitId, "unit", cell) }
    return id
  }

  private func temperature() throws(ImportRefusal) -> Int32? {
    let column: ImportColumn = cell(.celsius) != nil ? .celsius : .fahrenheit
    guard let cell = cell(column) else { return nil }
    let unit = column == .fahrenheit ? .fahrenheit : parser.temperatureUnit
    guard let entered = cell.scaled(2), abs(entered) < 600_000 else { throw wrong(column, "a number of degrees") }
    let hundredths = Temperature(hundredths: Int32(entered), in: unit).hundredths
    guard (-27_315...330_000).contains(hundredths) else {
      throw wrong(column, "a temperature that can be measured")
    }
    return hundredths
  }

  private func value<T>(
    _ column: ImportColumn, _ what: String, _ read: (ImportCell) -> T?
  ) throws(ImportRefusal) -> T? {
    guard let cell = cell(column) else { return nil }
    guard let value = read(cell) else { throw wrong(column, what) }
    return value
  }

  private func wrong(_ column: ImportColumn, _ what: String) -> ImportRefusal {
    let found = cells[column.rawValue].map { "; it is '\($0.text.prefix(40))'" } ?? ""
    return ImportRefusal("\(column.name) must be \(what)\(found)")
  }

  private func unknown(_ column: ImportColumn, _ what: String, _ cell: ImportCell) -> ImportRefusal {
    ImportRefusal("\(column.name) \(cell.text.prefix(40)) is not a \(what) of this organization")
  }
}
