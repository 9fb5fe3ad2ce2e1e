import Basics
import Testing

@testable import Ingest

private func record(_ number: Int, _ body: [UInt8] = Array(#"{"a":1}"#.utf8)) -> SpoolRecord {
  let sender: SpoolRecord.Sender =
    switch number % 3 {
    case 0: .known(organizationId: .v4(), apiKeyId: .v4(), siteId: nil)
    case 1: .known(organizationId: .v4(), apiKeyId: .v4(), siteId: .v4())
    default: .presented(keyId: "0123456789abcdef", secretHash: SecureRandom.bytes(32))
    }
  return SpoolRecord(
    receivedAt: Instant(microseconds: 1_767_598_215_000_001 + Int64(number)), door: UInt8(number % 250), sender: sender,
    body: body)
}

/// Everything that stands in `bytes`: the records, and the ranges that are none.
private func read(_ bytes: [UInt8]) -> (records: [SpoolRecord], bad: [Range<Int>]) {
  var (records, bad, place): ([SpoolRecord], [Range<Int>], Int) = ([], [], 0)
  while place < bytes.count {
    switch SpoolFormat.step(bytes, at: place, isWhole: true) {
    case .record(let record, let next):
      records.append(record)
      place = next
    case .bad(let next):
      bad.append(place..<next)
      place = next
    case .more:
      Issue.record("asks for more than there is")
      return (records, bad)
    }
  }
  return (records, bad)
}

@Suite("The format of the spool")
struct SpoolFormatTests {
  private func encoded(_ records: [SpoolRecord]) -> [UInt8] {
    var bytes: [UInt8] = []
    for record in records { _ = SpoolFormat.append(record, to: &bytes) }
    return bytes
  }

  @Test("a record is read as it was written")
  func roundTrip() {
    let records = (0..<12).map { record($0, SecureRandom.bytes($0 * 137)) }
    let (found, bad) = read(encoded(records))
    #expect(found == records)
    #expect(bad.isEmpty)
  }

  @Test("a record that could not be read back is not written")
  func tooLong() {
    var bytes: [UInt8] = []
    #expect(SpoolFormat.append(record(0, [UInt8](repeating: 1, count: SpoolRecord.bodyMax + 1)), to: &bytes) == nil)
    var hash = record(2)
    hash.sender = .presented(keyId: "k", secretHash: [1, 2, 3])
    #expect(SpoolFormat.append(hash, to: &bytes) == nil)
    #expect(bytes.isEmpty)
    #expect(SpoolFormat.append(record(0, [UInt8](repeating: 1, count: SpoolRecord.bodyMax)), to: &bytes) == bytes.count)
    #expect(read(bytes).records.count == 1)
  }

  @Test("whichever bit is flipped, the other records are read and the damaged one is not")
  func flippedBit() {
    let records = [record(0), record(1), record(2)]
    let bytes = encoded(records)
    let start = encoded([records[0]]).count
    let end = encoded([records[0], records[1]]).count
    for place in start..<end {
      for bit in 0..<8 {
        var damaged = bytes
        damaged[place] ^= 1 << UInt8(bit)
        let (found, bad) = read(damaged)
        #expect(found == [records[0], records[2]], "bit \(bit) of byte \(place)")
        #expect(bad.first?.lowerBound == start && bad.last?.upperBound == end)
      }
    }
  }

  @Test("wherever the bytes end, the records before are read", arguments: [0, 1, 2])
  func torn(kept: Int) {
    let records = [record(0), record(1), record(2)]
    let whole = encoded(records)
    let start = encoded(Array(records[..<kept])).count
    let end = encoded(Array(records[...kept])).count
    for cut in start..<end {
      let (found, bad) = read(Array(whole[..<cut]))
      #expect(found == Array(records[..<kept]))
      #expect(bad.isEmpty == (cut == start))
      // More may come.
      if cut > start { #expect(SpoolFormat.step(Array(whole[..<cut]), at: start, isWhole: false) == .more) }
    }
  }

  @Test("a record inside the body of a damaged record does not hide what follows")
  func inside() {
    let inner = encoded([record(4), record(5)])
    let outer = record(0, inner)
    var bytes = encoded([outer, record(1)])
    #expect(read(bytes).records.count == 2)
    bytes[9] ^= 0xFF
    #expect(read(bytes).records.last?.receivedAt == record(1).receivedAt)
  }

  @Test("header and footer say what they were made of, and a changed byte shows")
  func headerAndFooter() {
    let header = SpoolFormat.header(77)
    #expect(SpoolFormat.readHeader(header) == .segment(77))
    #expect(SpoolFormat.readHeader([UInt8](repeating: 0, count: 32)) == .blank)
    #expect(SpoolFormat.readHeader([]) == .blank)
    let footer = SpoolFormat.Footer(records: 5, first: -3, end: 1234)
    #expect(SpoolFormat.Footer(footer.bytes) == footer)
    #expect(footer.bytes.count == SpoolFormat.footerCount)
    for place in 0..<28 {
      var changed = header
      changed[place] ^= 1
      #expect(SpoolFormat.readHeader(changed) == .broken)
      var other = footer.bytes
      other[place] ^= 1
      #expect(SpoolFormat.Footer(other) == nil)
    }
  }
}
