import Basics
import PostgreSQL

/// Rows of `sensor_readings` in the binary form of COPY, written through a pointer: an import makes millions of them.
struct CopyRows: ~Copyable {
  static let columns: SQL = """
    recorded_at, received_at, f_cnt, id, organization_id, unit_id, device_id, battery, signal_strength, f_port, flags,
      door_open, temperature, humidity, battery_voltage, snr, source, raw_payload
    """
  private static let columnCount: Int16 = 18
  /// Of a row without its payload, at most.
  private static let rowMax = 320
  /// "PGCOPY", a signature that text transfers destroy, no flags, no extension (COPY, "Binary Format").
  static let header: [UInt8] = [
    0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00, 0, 0, 0, 0, 0, 0, 0, 0,
  ]
  static let trailer: [UInt8] = [0xFF, 0xFF]
  /// 1970 to 2000, where PostgreSQL's time begins.
  private static let epoch: Int64 = 946_684_800_000_000

  private var base: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  private var count = 0

  init(capacity: Int) {
    self.capacity = max(4096, capacity)
    base = .allocate(capacity: self.capacity)
  }

  deinit { base.deallocate() }

  var bytes: [UInt8] { Array(UnsafeBufferPointer(start: base, count: count)) }

  mutating func append(_ row: ImportRow, receivedAt: Instant, source: StaticString) {
    let room = Self.rowMax + (row.payload?.count ?? 0)
    if capacity - count < room {
      capacity = max(capacity * 2, count + room)
      let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
      larger.update(from: base, count: count)
      base.deallocate()
      base = larger
    }
    put(Self.columnCount)
    field(row.recordedAt.microseconds &- Self.epoch)
    field(receivedAt.microseconds &- Self.epoch)
    optional(row.frameCounter)
    field(row.id)
    field(row.organizationId)
    if let unit = row.unitId { field(unit) } else { null() }
    if let device = row.deviceId { field(device) } else { null() }
    optional(row.battery)
    optional(row.signalStrength)
    optional(row.port)
    field(row.flags)
    if let open = row.doorOpen { field(UInt8(open ? 1 : 0)) } else { null() }
    numeric(row.temperature, places: 2)
    numeric(row.humidity, places: 2)
    numeric(row.millivolts, places: 3)
    numeric(row.snr, places: 2)
    field(UnsafeBufferPointer(start: source.utf8Start, count: source.utf8CodeUnitCount))
    if let payload = row.payload { payload.withUnsafeBufferPointer { field($0) } } else { null() }
  }

  private mutating func put<T: FixedWidthInteger>(_ value: T) {
    UnsafeMutableRawPointer(base + count).storeBytes(of: value.bigEndian, as: T.self)
    count += MemoryLayout<T>.size
  }

  private mutating func null() { put(Int32(-1)) }

  private mutating func field<T: FixedWidthInteger>(_ value: T) {
    put(Int32(MemoryLayout<T>.size))
    put(value)
  }

  private mutating func optional<T: FixedWidthInteger>(_ value: T?) {
    if let value { field(value) } else { null() }
  }

  private mutating func field(_ value: UUID) {
    put(Int32(16))
    put(value.high)
    put(value.low)
  }

  private mutating func field(_ value: UnsafeBufferPointer<UInt8>) {
    put(Int32(value.count))
    if let start = value.baseAddress { (base + count).update(from: start, count: value.count) }
    count += value.count
  }

  /// `numeric`: the count of its digits of base 10000, the weight of the first, the sign, the decimal places to show. Up to
  /// 9999 before the point.
  private mutating func numeric(_ value: Int32?, places: Int16) {
    guard let value else { return null() }
    let unit: UInt32 = places == 3 ? 1000 : 100
    let (whole, rest) = value.magnitude.quotientAndRemainder(dividingBy: unit)
    let fraction = rest * (10_000 / unit)
    let digits = (whole > 0 ? 1 : 0) + (fraction > 0 ? 1 : 0)
    put(Int32(8 + 2 * digits))
    put(Int16(digits))
    put(Int16(whole > 0 || fraction == 0 ? 0 : -1))
    put(value < 0 ? UInt16(0x4000) : 0)
    put(places)
    if whole > 0 { put(UInt16(truncatingIfNeeded: whole)) }
    if fraction > 0 { put(UInt16(truncatingIfNeeded: fraction)) }
  }
}

/// One row of an import, checked.
struct ImportRow {
  var id: UUID
  var organizationId: UUID
  var unitId: UUID?
  var deviceId: UUID?
  var recordedAt: Instant
  var frameCounter: Int64?
  var battery: Int16?
  var signalStrength: Int16?
  var port: Int16?
  var flags: Int16
  var doorOpen: Bool?
  /// Hundredths of °C, %, thousandths of V, hundredths of dB.
  var temperature: Int32?
  var humidity: Int32?
  var millivolts: Int32?
  var snr: Int32?
  var payload: [UInt8]?
}
