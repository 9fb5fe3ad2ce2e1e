// swift-tools-version: 6.2
import PackageDescription

// What the real program is measured against. `scripts/benchmark` builds and runs them.

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6), .treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

func program(_ name: String) -> Target {
  .executableTarget(
    name: name, dependencies: [.product(name: "Platform", package: "freshtrack")], swiftSettings: settings)
}

let package = Package(
  name: "freshtrack-benchmarks",
  dependencies: [.package(name: "freshtrack", path: "..")],
  targets: [program("bare-loop"), program("one-insert-server")]
)
