// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// A target in `Sources/<wing>/<name>`.
func room(_ name: String, in wing: String, of dependencies: [String]) -> Target {
  .target(
    name: name, dependencies: dependencies.map { .byName(name: $0) }, path: "Sources/\(wing)/\(name)",
    swiftSettings: strict)
}

/// The tests of the room of that name, in `Tests/<wing>/<name>Tests`.
func tests(of name: String, in wing: String, with dependencies: [String] = []) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: ([name] + dependencies).map { .byName(name: $0) },
    path: "Tests/\(wing)/\(name)Tests", swiftSettings: strict)
}

func library(_ name: String, pkgConfig: String, debian: String) -> Target {
  .systemLibrary(
    name: name, path: "Sources/Doors/\(name)", pkgConfig: pkgConfig, providers: [.apt([debian])])
}

// The rooms of the house. Each imports only what stands above it here, and the compiler keeps it so.

/// The C world: module maps and shims, no logic.
let doors: [Target] = [
  .target(name: "CLinux", path: "Sources/Doors/CLinux"),
  library("CPostgreSQL", pkgConfig: "libpq", debian: "libpq-dev"),
  library("COpenSSL", pkgConfig: "openssl", debian: "libssl-dev"),
  library("CZlib", pkgConfig: "zlib", debian: "zlib1g-dev"),
  library("CCurlLibrary", pkgConfig: "libcurl", debian: "libcurl4-openssl-dev"),
  .target(name: "CCurl", dependencies: ["CCurlLibrary"], path: "Sources/Doors/CCurl"),
]

/// Knows nothing about fridges.
let platform: [Target] = [
  room("Basics", in: "Platform", of: ["CLinux"]),
  room("Telemetry", in: "Platform", of: ["Basics"]),
  room("Runtime", in: "Platform", of: ["Basics", "CLinux"]),
  room("JSON", in: "Platform", of: ["Basics"]),
  room("Crypto", in: "Platform", of: ["Basics", "JSON", "COpenSSL"]),
  room("HTTP", in: "Platform", of: ["Basics", "JSON"]),
  room("HTTPServer", in: "Platform", of: ["Basics", "JSON", "HTTP", "Runtime", "Telemetry", "CLinux", "CZlib"]),
  room("HTTPClient", in: "Platform", of: ["Basics", "Runtime", "CCurl"]),
  room("PostgreSQL", in: "Platform", of: ["Basics", "Crypto", "Runtime", "Telemetry", "CLinux", "CPostgreSQL"]),
]
let platformRooms = platform.map(\.name)

/// Pure: no I/O, no clock, no randomness.
let domain: [Target] = [room("ColdChain", in: "Domain", of: ["Basics", "JSON"])]

/// Routes, SQL and jobs. A feature imports another only above it.
let features: [Target] = [
  room("Forms", in: "Features", of: platformRooms),
  room("Identity", in: "Features", of: platformRooms + ["Forms"]),
  room("Places", in: "Features", of: platformRooms + ["ColdChain", "Forms", "Identity"]),
  room("Devices", in: "Features", of: platformRooms + ["ColdChain", "Forms", "Identity", "Places"]),
  room("Readings", in: "Features", of: platformRooms + ["ColdChain", "Forms", "Identity", "Places"]),
  room("Alerts", in: "Features", of: platformRooms + ["ColdChain", "Forms", "Identity", "Places"]),
  room("Monitoring", in: "Features", of: platformRooms + ["ColdChain", "Identity", "Places", "Readings", "Alerts"]),
  room(
    "Ingest", in: "Features",
    of: platformRooms + ["ColdChain", "Forms", "Identity", "Places", "Devices", "Readings", "Monitoring"]),
  room("Operations", in: "Features", of: platformRooms),
  room("Overview", in: "Features", of: platformRooms + ["ColdChain", "Forms", "Identity", "Places"]),
  room("Notifications", in: "Features", of: platformRooms + ["Forms", "Identity", "Alerts"]),
  room("Billing", in: "Features", of: platformRooms + ["Forms", "Identity"]),
  room("Assets", in: "Features", of: platformRooms + ["Forms", "Identity"]),
  room(
    "TheThingsStack", in: "Features",
    of: platformRooms + ["ColdChain", "Forms", "Identity", "Places", "Devices", "Readings", "Ingest"]),
]

/// Forward only, in this order; each is embedded in the program.
let migrations = [
  "0001_organizations",
  "0002_places",
  "0003_devices",
  "0004_readings",
  "0005_monitoring",
  "0006_alerts",
  "0007_audit",
  "0008_quarantine",
  "0009_people",
  "0010_audit_places",
  "0011_rules",
  "0012_suppressions",
  "0013_calibrations",
  "0014_notifications",
  "0015_billing",
  "0016_assets",
  "0017_quarantine_once",
  "0018_rollups",
  "0019_rollup_stretches",
  "0020_ttn",
  "0021_gateways",
  "0022_uplink_gaps",
  "0023_unchanged",
  "0024_rollups_inside",
  "0025_purges",
  "0026_object_removals",
]

let featureRooms = platformRooms + features.map(\.name)

/// The schema, every route, and the one place where everything is wired together.
let program: [Target] = [
  .target(
    name: "Migrations", dependencies: ["PostgreSQL"], path: "Migrations",
    resources: migrations.map { .embedInCode("\($0).sql") }, swiftSettings: strict),
  room("API", in: "Features", of: featureRooms),
  .executableTarget(
    name: "freshtrack",
    dependencies: (["CLinux", "ColdChain"] + featureRooms + ["API", "Migrations"]).map { .byName(name: $0) },
    path: "Sources/freshtrack", swiftSettings: strict),
]

let testTargets: [Target] = [
  .target(
    name: "TestSupport", dependencies: ["Basics", "Runtime", "Telemetry", "HTTPServer", "PostgreSQL", "CPostgreSQL"],
    path: "Tests/TestSupport", swiftSettings: strict),
  tests(of: "Basics", in: "Platform"),
  tests(of: "Telemetry", in: "Platform"),
  tests(of: "Runtime", in: "Platform", with: ["Basics"]),
  tests(of: "PostgreSQL", in: "Platform", with: ["Basics", "Runtime", "CPostgreSQL", "TestSupport"]),
  tests(of: "JSON", in: "Platform", with: ["Basics"]),
  tests(of: "Crypto", in: "Platform", with: ["Basics", "JSON"]),
  tests(of: "HTTPClient", in: "Platform"),
  tests(of: "HTTP", in: "Platform", with: ["Basics", "JSON"]),
  tests(of: "HTTPServer", in: "Platform", with: ["Basics", "JSON", "HTTP", "Runtime", "Telemetry", "TestSupport"]),
  tests(of: "ColdChain", in: "Domain", with: ["Basics", "JSON"]),
  .target(
    name: "FeatureSupport",
    dependencies: (featureRooms + ["API", "TestSupport", "Migrations"]).map { .byName(name: $0) },
    path: "Tests/Features/FeatureSupport", swiftSettings: strict),
  tests(of: "Forms", in: "Features"),
  tests(of: "Identity", in: "Features", with: ["FeatureSupport"]),
  tests(of: "Places", in: "Features", with: ["FeatureSupport"]),
  tests(of: "Devices", in: "Features", with: ["FeatureSupport"]),
  tests(of: "Readings", in: "Features", with: ["FeatureSupport"]),
  tests(of: "Alerts", in: "Features", with: ["FeatureSupport"]),
  tests(of: "Monitoring", in: "Features", with: ["FeatureSupport"]),
  tests(of: "Ingest", in: "Features", with: ["FeatureSupport", "CPostgreSQL"]),
  tests(of: "Operations", in: "Features", with: ["Basics", "HTTP", "Telemetry"]),
  tests(of: "Overview", in: "Features", with: ["FeatureSupport"]),
  tests(of: "Notifications", in: "Features", with: ["FeatureSupport", "COpenSSL"]),
  tests(of: "Billing", in: "Features", with: ["FeatureSupport"]),
  tests(of: "Assets", in: "Features", with: ["FeatureSupport"]),
  .target(
    name: "StackSupport", dependencies: (platformRooms + ["TestSupport"]).map { .byName(name: $0) },
    path: "Tests/Features/StackSupport",
    swiftSettings: strict),
  tests(of: "TheThingsStack", in: "Features", with: ["FeatureSupport", "StackSupport"]),
  .testTarget(
    name: "freshtrackTests",
    dependencies: [
      "freshtrack", "Basics", "ColdChain", "HTTP", "HTTPServer", "Identity", "JSON", "Runtime", "PostgreSQL",
      "CPostgreSQL", "Migrations", "TestSupport", "Billing", "HTTPClient", "StackSupport",
    ],
    path: "Tests/freshtrackTests",
    swiftSettings: strict),
  .testTarget(
    name: "Simulation", dependencies: ["Basics", "ColdChain"], path: "Tests/Simulation", swiftSettings: strict),
]

/// `freshtrack` is what is made here. The libraries are only for `Fuzz` and `Benchmarks`, packages of their own.
let products: [Product] = [
  .executable(name: "freshtrack", targets: ["freshtrack"]),
  .library(name: "Formats", targets: ["Basics", "JSON", "HTTP", "Crypto", "ColdChain"]),
  .library(name: "Ingest", targets: ["Ingest", "Basics"]),
  .library(name: "Platform", targets: ["CLinux"] + platformRooms),
]

let package = Package(
  name: "freshtrack",
  products: products,
  targets: doors + platform + domain + features + program + testTargets
)
