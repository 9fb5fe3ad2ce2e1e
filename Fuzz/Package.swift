// swift-tools-version: 6.2
import PackageDescription

// Programs that feed made-up bytes to the readers of wire bytes. `scripts/fuzz` builds and runs them.

/// libFuzzer brings `main` itself, while SwiftPM wants `<name>_main`: each fuzzer defines that one and calls libFuzzer from it.
func fuzzer(_ name: String) -> Target {
  .executableTarget(
    name: name, dependencies: ["CFuzzer", "Fuzzing", .product(name: "Formats", package: "freshtrack")],
    swiftSettings: [
      .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"), .unsafeFlags(["-parse-as-library"]),
    ])
}

let package = Package(
  name: "freshtrack-fuzz",
  dependencies: [.package(name: "freshtrack", path: "..")],
  targets: [
    .target(name: "CFuzzer"),
    .target(name: "Fuzzing", dependencies: ["CFuzzer"], swiftSettings: [.swiftLanguageMode(.v6)]),
    fuzzer("FuzzForm"),
    fuzzer("FuzzHTTP"),
    fuzzer("FuzzJSON"),
    fuzzer("FuzzJWT"),
    fuzzer("FuzzPayload"),
    fuzzer("FuzzText"),
  ]
)
