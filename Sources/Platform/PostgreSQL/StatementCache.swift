import CPostgreSQL

/// The statements that one connection has prepared, by their text and the types of their parameters. At most
/// `capacity`; the one that was not used for longest goes first, and is deallocated on the server when no transaction
/// is open.
struct StatementCache {
  struct Entry {
    let name: String
    let sql: SQL
    let types: [Oid]
    var lastUse: UInt64
  }

  let capacity: Int
  private var entries: [SQL: [Entry]] = [:]
  private(set) var count = 0
  private var uses: UInt64 = 0
  private var lastName: UInt64 = 0
  /// Names that the server still knows and we do not need.
  private(set) var dropped: [String] = []

  init(capacity: Int = 256) { self.capacity = capacity }

  /// The name of a prepared statement that takes these parameters. NULL fits every type.
  mutating func name(of sql: SQL, _ parameters: ParameterBuffer) -> String? {
    guard let variants = entries[sql] else { return nil }
    for place in variants.indices where Self.fits(variants[place].types, parameters) {
      uses += 1
      entries[sql]?[place].lastUse = uses
      return variants[place].name
    }
    return nil
  }

  private static func fits(_ types: [Oid], _ parameters: ParameterBuffer) -> Bool {
    guard types.count == parameters.types.count else { return false }
    for place in types.indices where types[place] != parameters.types[place] && parameters.offsets[place] >= 0 {
      return false
    }
    return true
  }

  /// Keeps a new statement and returns the name to prepare it under.
  mutating func add(_ sql: SQL, _ types: [Oid]) -> String {
    if count >= capacity { dropOldest() }
    uses += 1
    lastName += 1
    let name = "s\(lastName)"
    entries[sql, default: []].append(Entry(name: name, sql: sql, types: types, lastUse: uses))
    count += 1
    return name
  }

  /// Forgets a statement; `isOnServer` when it must be deallocated there.
  mutating func remove(_ name: String, sql: SQL, isOnServer: Bool) {
    guard var variants = entries[sql], let place = variants.firstIndex(where: { $0.name == name }) else { return }
    variants.remove(at: place)
    entries[sql] = variants.isEmpty ? nil : variants
    count -= 1
    if isOnServer { dropped.append(name) }
  }

  /// The server has forgotten them all.
  mutating func removeAll() {
    entries = [:]
    count = 0
    dropped = []
  }

  mutating func takeDropped() -> [String] {
    defer { dropped = [] }
    return dropped
  }

  private mutating func dropOldest() {
    guard let oldest = entries.values.joined().min(by: { $0.lastUse < $1.lastUse }) else { return }
    remove(oldest.name, sql: oldest.sql, isOnServer: true)
  }
}
