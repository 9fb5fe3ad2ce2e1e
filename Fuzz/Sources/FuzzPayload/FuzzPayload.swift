import Basics
import ColdChain
import Fuzzing
import JSON

private let receivedAt = Instant(seconds: 1_767_598_215)
private let models: [String?] = [nil, "", "unknown-1"] + PayloadDecoder.all.flatMap(\.models)

/// The first byte is the port; the rest is a frame for every model. As a whole it may be the JSON of a decoded payload.
@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = bytes(start, count)
  if let port = input.first { decode(Array(input.dropFirst()), port: port) }
  if let decoded = try? JSONDocument(input).root {
    for model in models {
      if let sample = FieldTable.measurements(from: decoded, model: model, receivedAt: receivedAt) { look(at: sample) }
    }
    let normalized = FieldTable.measurements(fromNormalized: decoded, receivedAt: receivedAt)
    check(normalized.count <= 100, "\(normalized.count) samples")
    for sample in normalized { look(at: sample) }
  }
  return 0
}

@_cdecl("FuzzPayload_main")
public func start(_ count: CInt, _ arguments: Arguments?) -> CInt { fuzz(count, arguments, test) }

private func decode(_ frame: [UInt8], port: UInt8) {
  for model in models {
    do throws(DecodeFailure) {
      let samples = try PayloadDecoder.decode(frame, port: port, model: model, receivedAt: receivedAt)
      check(samples.count <= frame.count, "\(samples.count) samples in \(frame.count) bytes")
      for sample in samples { look(at: sample) }
      let again = try PayloadDecoder.decode(frame, port: port, model: model, receivedAt: receivedAt)
      check(again == samples, "the same frame says something else")
    } catch {
      if model == nil { continue }
      if case .unknownModel = error { check(PayloadDecoder.named(model ?? "") == nil, "\(model ?? "") is known") }
    }
  }
}

/// Whatever a frame holds: what comes out is possible, or is not there.
private func look(at sample: Measurements) {
  for channel in TemperatureChannel.allCases {
    guard let temperature = sample[channel] else { continue }
    check((-20_000...85_000).contains(temperature.hundredths), "\(channel) at \(temperature)")
  }
  for humidity in [sample.humidity, sample.probeHumidity] {
    if let humidity { check((0...10_000).contains(humidity.hundredths), "humidity \(humidity.hundredths)") }
  }
  if let percent = sample.batteryPercent { check((0...100).contains(percent.value), "battery \(percent.value)") }
  if let count = sample.doorOpenCount { check(count >= 0, "opened \(count) times") }
  if let seconds = sample.lastOpenSeconds { check(seconds >= 0, "open for \(seconds) s") }
  if let time = sample.sampledAt {
    check(Measurements.believableAge.contains(receivedAt - time), "sampled at \(time)")
  }
  _ = (sample.isEmpty, sample.unitTemperature(), sample.unitTemperature(.probe))
}
