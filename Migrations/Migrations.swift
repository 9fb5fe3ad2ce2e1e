import PostgreSQL

/// The schema, in the order it is applied. Forward only: a file that was released is never changed.
public let all: [Migration] = [
  Migration(version: 1, name: "organizations", sql: PackageResources._001_organizations_sql),
  Migration(version: 2, name: "places", sql: PackageResources._002_places_sql),
  Migration(version: 3, name: "devices", sql: PackageResources._003_devices_sql),
  Migration(version: 4, name: "readings", sql: PackageResources._004_readings_sql),
  Migration(version: 5, name: "monitoring", sql: PackageResources._005_monitoring_sql),
  Migration(version: 6, name: "alerts", sql: PackageResources._006_alerts_sql),
  Migration(version: 7, name: "audit", sql: PackageResources._007_audit_sql),
  Migration(version: 8, name: "quarantine", sql: PackageResources._008_quarantine_sql),
  Migration(version: 9, name: "people", sql: PackageResources._009_people_sql),
  Migration(version: 10, name: "audit_places", sql: PackageResources._010_audit_places_sql),
  Migration(version: 23, name: "unchanged", sql: PackageResources._023_unchanged_sql),
]
