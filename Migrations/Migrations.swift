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
  Migration(version: 11, name: "rules", sql: PackageResources._011_rules_sql),
  Migration(version: 12, name: "suppressions", sql: PackageResources._012_suppressions_sql),
  Migration(version: 13, name: "calibrations", sql: PackageResources._013_calibrations_sql),
  Migration(version: 14, name: "notifications", sql: PackageResources._014_notifications_sql),
  Migration(version: 15, name: "billing", sql: PackageResources._015_billing_sql),
  Migration(version: 16, name: "assets", sql: PackageResources._016_assets_sql),
  Migration(version: 17, name: "quarantine_once", sql: PackageResources._017_quarantine_once_sql),
  Migration(version: 18, name: "rollups", sql: PackageResources._018_rollups_sql),
  Migration(version: 19, name: "rollup_stretches", sql: PackageResources._019_rollup_stretches_sql),
  Migration(version: 20, name: "ttn", sql: PackageResources._020_ttn_sql),
  Migration(version: 21, name: "gateways", sql: PackageResources._021_gateways_sql),
  Migration(version: 22, name: "uplink_gaps", sql: PackageResources._022_uplink_gaps_sql),
  Migration(version: 23, name: "unchanged", sql: PackageResources._023_unchanged_sql),
  Migration(version: 30, name: "rollups_inside", sql: PackageResources._030_rollups_inside_sql),
]
