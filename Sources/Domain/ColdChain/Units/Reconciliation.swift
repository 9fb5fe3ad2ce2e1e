import Basics

extension History {
  /// What becomes of a stored incident when the past was judged again.
  public enum Change: Hashable, Sendable {
    case added(Incident)
    /// The same incident with other instants or another peak; `from` names the stored row by its `openedAt`.
    case changed(from: Incident, to: Incident)
    /// It never happened, or it is part of the incident before it.
    case withdrawn(Incident)
  }

  /// Compares the stored incidents from the quiet point on with the evaluated ones, oldest first.
  ///
  /// An evaluated incident is the stored one that opened at the same instant, else the first stored one that it
  /// overlaps.
  ///
  /// - Parameter known: the checkpoint's incident and every one stored with `openedAt` at or after the quiet point.
  public static func reconcile(known: [Incident], evaluated: [Incident]) -> [Change] {
    var left = known.sorted { $0.openedAt < $1.openedAt }
    var changes: [Change] = []
    let exact = Set(known.map(\.openedAt)).intersection(evaluated.map(\.openedAt))
    for incident in evaluated {
      let match = left.firstIndex { stored in
        exact.contains(incident.openedAt)
          ? stored.openedAt == incident.openedAt
          : !exact.contains(stored.openedAt) && overlap(stored, incident)
      }
      guard let match else {
        changes.append(.added(incident))
        continue
      }
      let stored = left.remove(at: match)
      if stored != incident { changes.append(.changed(from: stored, to: incident)) }
    }
    return changes + left.map(Change.withdrawn)
  }

  private static func overlap(_ a: Incident, _ b: Incident) -> Bool {
    a.openedAt <= b.closedAt ?? .distantFuture && b.openedAt <= a.closedAt ?? .distantFuture
  }
}
