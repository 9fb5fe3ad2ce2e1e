/// The restaurant that `freshtrack dev` shows.
enum DemoPlan {
  static let organization = "Harbor Street Kitchen"
  static let ownerEmail = "maria.santos@harborstreet.example"
  static let ownerName = "Maria Santos"
  static let timezone = "America/New_York"
  static let site = (
    name: "Harbor Street 12", address: "12 Harbor Street", city: "Portland", state: "ME", postalCode: "04101"
  )

  struct Unit: Sendable {
    let area: String
    let name: String
    let type: String
    /// °F, as a kitchen in Maine writes it.
    let limits: ClosedRange<Int>
    /// °C, the middle of what it really does.
    let setpoint: Double
    let sensor: SensorModel
    let devEUI: String
  }

  static let units = [
    Unit(
      area: "Receiving and storage", name: "Walk-in cooler", type: "walk_in_cooler", limits: 33...41, setpoint: 2.8,
      sensor: .lht65n, devEUI: "A84041000D000001"),
    Unit(
      area: "Receiving and storage", name: "Walk-in freezer", type: "walk_in_freezer", limits: -15...5,
      setpoint: -20.5, sensor: .lht65n, devEUI: "A84041000D000002"),
    Unit(
      area: "Kitchen", name: "Prep table fridge", type: "fridge", limits: 33...41, setpoint: 3.1, sensor: .ers,
      devEUI: "A81758FFFE050001"),
    Unit(
      area: "Kitchen", name: "Reach-in freezer", type: "freezer", limits: -15...5, setpoint: -19, sensor: .lht65n,
      devEUI: "A84041000D000003"),
    Unit(
      area: "Front of house", name: "Dessert display case", type: "display_case", limits: 33...41, setpoint: 2.6,
      sensor: .em300th, devEUI: "24E124136B000001"),
    Unit(
      area: "Front of house", name: "Bar fridge", type: "fridge", limits: 33...43, setpoint: 3.4, sensor: .em300th,
      devEUI: "24E124136B000002"),
  ]

  static var areas: [String] {
    units.map(\.area).reduce(into: []) { names, name in if !names.contains(name) { names.append(name) } }
  }

  /// The sensors on their walls, in a new session.
  static func sensors(session: UInt64) -> [SimulatedSensor] {
    units.enumerated().map { number, unit in
      SimulatedSensor(
        devEUI: unit.devEUI, deviceId: deviceId(unit), model: unit.sensor, setpoint: unit.setpoint,
        seed: 7 &+ UInt64(number), session: session)
    }
  }

  static func deviceId(_ unit: Unit) -> String {
    String(unit.name.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "-" })
  }
}
