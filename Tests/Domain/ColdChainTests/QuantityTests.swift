import Basics
import ColdChain
import Testing

struct QuantityTests {
  @Test("41 °F is 5 °C, and a limit entered as 41 °F comes back as 41 °F")
  func fahrenheit() {
    let limit = Limit(hundredths: 4100, in: .fahrenheit)
    #expect(limit.temperature == Temperature(hundredths: 500))
    #expect(limit.entered == 4100 && limit.unit == .fahrenheit)
    #expect(Limit(hundredths: 3800, in: .fahrenheit).temperature == Temperature(hundredths: 333))
    #expect(Temperature(fahrenheit: 0)?.hundredths == -1778)
    #expect(Temperature(hundredths: -4000).fahrenheitHundredths == -4000)
    #expect(Temperature(hundredths: -1778).fahrenheitHundredths == 0)
  }

  @Test("conversion from °F is the nearest hundredth for every hundredth")
  func nearest() {
    for fahrenheit in Int32(-10_000)...30_000 {
      let ninths = (Int(fahrenheit) - 3200) * 5
      let error = abs(ninths - Int(Temperature(fahrenheitHundredths: fahrenheit).hundredths) * 9)
      if error > 4 { Issue.record("\(fahrenheit) is off by \(error)/9") }
    }
  }

  @Test("a temperature that is no number is no temperature")
  func notANumber() {
    #expect(Temperature(celsius: .nan) == nil && Temperature(celsius: .infinity) == nil)
    #expect(Temperature(fahrenheit: .nan) == nil && Temperature(fahrenheit: 1e300) == nil)
    #expect(Temperature(celsius: 1e9) == nil)
    #expect(Temperature(celsius: -0.005)?.hundredths == -1)
  }

  @Test("temperatures are written with two digits")
  func text() {
    #expect("\(Temperature(hundredths: -5))" == "-0.05 °C")
    #expect("\(Temperature(hundredths: -1805))" == "-18.05 °C")
    #expect("\(Temperature(hundredths: .min))" == "-21474836.48 °C")
  }

  @Test("other quantities refuse what cannot be")
  func ranges() {
    #expect(Humidity(percent: 100.1) == nil && Humidity(percent: -0.1) == nil && Humidity(percent: .nan) == nil)
    #expect(Humidity(percent: 40.8)?.hundredths == 4080)
    #expect(Voltage(volts: 3.097)?.millivolts == 3097 && Voltage(volts: -1) == nil)
    #expect(Percent(100.4) == nil && Percent(99.5)?.value == 100)
    #expect(SignalStrength(dBm: -97.5)?.dBm == -98 && SignalStrength(dBm: .nan) == nil)
  }

  @Test("battery curves are linear between their points")
  func batteries() throws {
    let volts: (Double) throws -> Voltage = { try #require(Voltage(volts: $0)) }
    #expect(try BatteryChemistry.lithiumManganeseDioxide.percent(of: volts(2.9))?.value == 65)
    #expect(try BatteryChemistry.alkaline.percent(of: volts(9))?.value == 100)
    #expect(try BatteryChemistry.coinCell.percent(of: volts(2.1))?.value == 0)
    #expect(try BatteryChemistry.lithiumThionylChloride.percent(of: volts(3.6)) == nil)
  }
}
