import Basics

/// One request that waits on disk for the database, with all that is needed to take it in as if it came now.
public struct SpoolRecord: Sendable, Equatable {
  /// Who sent it.
  public enum Sender: Sendable, Equatable {
    /// The key was known when the request came: a promise was made to this sender, and later revocations do not undo it.
    case known(organizationId: UUID, apiKeyId: UUID, siteId: UUID?)
    /// The database could not be asked for the key. Its secret is never written, only the hash that the database keeps too.
    case presented(keyId: String, secretHash: [UInt8])
  }

  /// When its head was complete; what becomes of it later is dated by this.
  public var receivedAt: Instant
  /// By which door it came: the raw value of ``IngestDoor``. One that this program does not know is set aside.
  public var door: UInt8
  public var sender: Sender
  public var body: [UInt8]

  public init(receivedAt: Instant, door: UInt8, sender: Sender, body: [UInt8]) {
    self.receivedAt = receivedAt
    self.door = door
    self.sender = sender
    self.body = body
  }
}

extension SpoolRecord {
  /// The longest body: the largest request of any door.
  public static let bodyMax = 1 << 20
  static let keyIdMax = 255
  static let hashCount = 32
  /// With the longest sender.
  static let payloadMax = bodyMax + 512

  /// What stands between a record's frame and the next: little-endian, receipt time (8), door (1), kind of sender (1), sender, body.
  func appendPayload(to bytes: inout [UInt8]) {
    bytes.append(littleEndian: UInt64(bitPattern: receivedAt.microseconds))
    bytes.append(door)
    switch sender {
    case .known(let organization, let key, let site):
      bytes.append(site == nil ? 1 : 2)
      bytes += organization.bytes
      bytes += key.bytes
      if let site { bytes += site.bytes }
    case .presented(let keyId, let hash):
      bytes.append(3)
      bytes += hash
      bytes.append(UInt8(keyId.utf8.count))
      bytes += keyId.utf8
    }
    bytes += body
  }

  /// False for what could not be read back.
  var isWritable: Bool {
    guard body.count <= Self.bodyMax else { return false }
    guard case .presented(let keyId, let hash) = sender else { return true }
    return keyId.utf8.count <= Self.keyIdMax && hash.count == Self.hashCount
  }

  /// Nil when it is none of ours.
  init?(payload: ArraySlice<UInt8>) {
    var rest = payload
    func take(_ count: Int) -> ArraySlice<UInt8>? {
      guard rest.count >= count else { return nil }
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }
    guard let time = take(8), let door = take(1)?.first, let kind = take(1)?.first else { return nil }
    switch kind {
    case 1, 2:
      guard let organization = take(16).flatMap({ UUID(bytes: $0) }), let key = take(16).flatMap({ UUID(bytes: $0) })
      else { return nil }
      var site: UUID?
      if kind == 2 {
        guard let found = take(16).flatMap({ UUID(bytes: $0) }) else { return nil }
        site = found
      }
      sender = .known(organizationId: organization, apiKeyId: key, siteId: site)
    case 3:
      guard let hash = take(Self.hashCount), let length = take(1)?.first, let name = take(Int(length)),
        let keyId = String(validating: name, as: UTF8.self)
      else { return nil }
      sender = .presented(keyId: keyId, secretHash: Array(hash))
    default: return nil
    }
    receivedAt = Instant(microseconds: Int64(bitPattern: UInt64(littleEndian: time)))
    self.door = door
    body = Array(rest)
  }
}

extension [UInt8] {
  mutating func append<Word: FixedWidthInteger>(littleEndian word: Word) {
    for place in 0..<Word.bitWidth / 8 { append(UInt8(truncatingIfNeeded: word >> (8 * Word(place)))) }
  }
}

extension FixedWidthInteger {
  /// The first bytes, least significant first.
  init(littleEndian bytes: some Collection<UInt8>) {
    self = 0
    for (place, byte) in bytes.prefix(Self.bitWidth / 8).enumerated() { self |= Self(byte) << (8 * place) }
  }
}
