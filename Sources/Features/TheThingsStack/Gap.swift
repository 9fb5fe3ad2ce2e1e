import Basics
import PostgreSQL

/// What became of frames that did not come.
enum GapState: String, Sendable, CaseIterable {
  case open
  /// They came after all, or held no reading.
  case received
  /// Fetched from the network server's storage.
  case healed
  /// The storage had a frame beside them and not these: the network never heard them.
  case lostOnAir = "lost_on_air"
  /// The storage could not be asked, or does not reach so far back.
  case unexplained
}

/// Frames of one session that were missing between two that came.
struct Gap: Sendable {
  let id: UUID
  let organizationId: UUID
  let deviceId: UUID
  let session: String
  let frames: ClosedRange<Int64>
  let afterAt: Instant
  let beforeAt: Instant
  let state: GapState
  /// Frames that the storage had.
  let seen: [Int64]
  let isCovered: Bool

  /// One stretch of frames with the same fate.
  struct Stretch: Equatable {
    let frames: ClosedRange<Int64>
    let state: GapState
  }

  /// The gap cut where the fate of its frames changes, in their order. `found` are frames of which a reading is stored, with
  /// whether it was healed; what neither was found nor seen has the fate `rest`.
  func stretches(found: [Int64: Bool], rest: GapState) -> [Stretch] {
    var fates: [Int64: GapState] = [:]
    for frame in seen where frames.contains(frame) { fates[frame] = .received }
    for (frame, isHealed) in found where frames.contains(frame) { fates[frame] = isHealed ? .healed : .received }
    var stretches: [Stretch] = []
    func add(_ range: ClosedRange<Int64>, _ state: GapState) {
      if let last = stretches.last, last.state == state {
        stretches[stretches.count - 1] = Stretch(frames: last.frames.lowerBound...range.upperBound, state: state)
      } else {
        stretches.append(Stretch(frames: range, state: state))
      }
    }
    var next = frames.lowerBound
    for (frame, state) in fates.sorted(by: { $0.key < $1.key }) {
      if next < frame { add(next...(frame - 1), rest) }
      add(frame...frame, state)
      next = frame + 1
    }
    if next <= frames.upperBound { add(next...frames.upperBound, rest) }
    return stretches
  }
}
