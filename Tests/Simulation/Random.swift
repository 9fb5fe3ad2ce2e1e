import Basics
import Glibc

extension SplitMix {
  mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}

/// `SIMULATION_SEED` runs other histories; a failure names the seed of its history.
let firstSeed = getenv("SIMULATION_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1
