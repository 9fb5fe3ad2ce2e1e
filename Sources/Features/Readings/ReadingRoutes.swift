import Basics
import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import Places
import PostgreSQL

/// What a unit measured, in event time.
public struct ReadingRoutes: Sendable {
  let store: ReadingStore
  let buckets: BucketStore

  public init(database: Database) {
    store = ReadingStore(database: database)
    buckets = BucketStore(database: database)
  }

  public func routes(_ gate: Gate) -> [Route] {
    [
      "/api/orgs/:organizationId/sites/:siteId/areas/:areaId/units/:unitId/readings",
      "/api/orgs/:organizationId/units/:unitId/readings",
    ].flatMap {
      gate.get(
        $0, .viewer, "What a unit measured", asks: ReadingQuery.init,
        gives: .list(.reading).or(.list(.readingBucket)), list)
        + gate.get(
          $0 + "/buckets", .viewer, "What a unit measured, in quarters of an hour, hours or days",
          asks: ReadingQuery.ofBuckets, gives: .list(.readingBucket), list)
    }
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope, _ wanted: ReadingQuery) async throws -> Response {
    let place = try UnitPlace(request)
    if wanted.resolution != .raw {
      guard try await store.hasUnit(place, scope) else { throw HTTPError.notFound("Unit") }
      let end = wanted.end ?? request.received
      let start = wanted.start ?? end - .days(1)
      let length = wanted.resolution.settled(for: end - start).bucket
      if let length = length ?? (wanted.bucketsOnly ? .quarterHour : nil) {
        return try await list(length, of: place.unitId, start, end, wanted, scope)
      }
      return try await single(place, wanted.from(start), request, scope)
    }
    return try await single(place, wanted, request, scope)
  }

  private func list(
    _ length: BucketLength, of unit: UUID, _ start: Instant, _ end: Instant, _ wanted: ReadingQuery,
    _ scope: OrganizationScope
  ) async throws -> Response {
    guard start <= end else { throw HTTPError.validation(InvalidFields("end", "must not be before start")) }
    guard length.allows(end - start) else {
      throw HTTPError.validation(
        InvalidFields("start", "gives more than \(BucketLength.countMax) buckets; ask for longer ones"))
    }
    let found = try await buckets.buckets(unit, start...end, length, scope)
    let buckets = found?.buckets ?? []
    let scale = wanted.shownIn ?? found?.shownIn ?? .celsius
    var response = Response.json { json in
      json.array { json in for bucket in buckets { bucket.write(to: &json, in: scale) } }
    }
    if wanted.page.counts { response.headers.append((.totalCount, "\(buckets.count)")) }
    return response
  }

  private func single(
    _ place: UnitPlace, _ wanted: ReadingQuery, _ request: Request, _ scope: OrganizationScope
  ) async throws -> Response {
    guard let rows = try await store.list(place, wanted, scope) else { throw HTTPError.notFound("Unit") }
    var response = Response.rows(rows.json)
    if wanted.page.counts {
      response.headers.append((.totalCount, "\(try await store.count(place.unitId, wanted, scope))"))
    }
    if let last = rows.last, rows.count == wanted.page.limit, !wanted.latest {
      let cursor = TimeCursor(at: try last.instant("recordedAt"), id: try last.uuid("id"))
      response.headers.append((.link, request.next(after: cursor)))
    }
    return response
  }
}
