import Basics

/// What one sample says about one unit: the part of a reading that can move the unit's state.
public struct UnitReading: Hashable, Sendable {
  /// The stored reading, to name it as the cause of a transition.
  public var id: UUID
  public var device: UUID
  /// Event time: when the sample was taken.
  public var recordedAt: Instant
  /// From the unit's primary sensor only, on the channel its assignment names, and never a sentinel. Nil otherwise.
  public var temperature: Temperature?
  public var doorOpen: Bool?
  /// The sensor reported by itself and defines the unit's link: a live uplink, not a backfilled sample, and not of a
  /// door sensor beside a temperature sensor.
  public var checksIn: Bool
  public var simulated: Bool

  public init(
    id: UUID, device: UUID, recordedAt: Instant, temperature: Temperature? = nil, doorOpen: Bool? = nil,
    checksIn: Bool = true, simulated: Bool = false
  ) {
    self.id = id
    self.device = device
    self.recordedAt = recordedAt
    self.temperature = temperature
    self.doorOpen = doorOpen
    self.checksIn = checksIn
    self.simulated = simulated
  }

  /// The one order in which readings of a unit are judged: (`recordedAt`, `device`).
  public static func inOrder(_ a: UnitReading, _ b: UnitReading) -> Bool {
    a.recordedAt != b.recordedAt ? a.recordedAt < b.recordedAt : a.device < b.device
  }
}
