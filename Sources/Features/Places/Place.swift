import Basics
import HTTP

/// An area as a path names it. Both ids must fit together.
struct AreaPlace: Sendable {
  let siteId: UUID
  let areaId: UUID

  init(_ request: Request) throws(HTTPError) {
    siteId = try request.uuid("siteId")
    areaId = try request.uuid("areaId")
  }
}

/// A unit as a path names it: below its site and area, or by itself.
public struct UnitPlace: Sendable {
  public let siteId: UUID?
  public let areaId: UUID?
  public let unitId: UUID

  init(siteId: UUID?, areaId: UUID?, unitId: UUID) {
    self.siteId = siteId
    self.areaId = areaId
    self.unitId = unitId
  }

  public init(_ request: Request) throws(HTTPError) {
    siteId = request.parameters["siteId"] == nil ? nil : try request.uuid("siteId")
    areaId = request.parameters["areaId"] == nil ? nil : try request.uuid("areaId")
    unitId = try request.uuid("unitId")
  }
}
