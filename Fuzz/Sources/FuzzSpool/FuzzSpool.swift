import Basics
import Fuzzing
import Ingest

private let known = SpoolRecord(
  receivedAt: Instant(seconds: 1_767_598_215), door: 1,
  sender: .known(organizationId: UUID(high: 1, low: 2), apiKeyId: UUID(high: 3, low: 4), siteId: nil),
  body: Array(#"{"a":1}"#.utf8))

/// What a disk may hold where a segment of the spool was.
@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = bytes(start, count)
  let records = read(input, isWhole: true)
  _ = read(input, isWhole: false)
  // What was read is written as it stood there.
  for (record, range) in records {
    var again: [UInt8] = []
    check(SpoolFormat.append(record, to: &again) == range.count, "a record that cannot be written was read")
    check(again.elementsEqual(input[range]), "a record is written otherwise than it was read")
  }
  // Whatever stands before a record does not hide it, unless a frame that is right holds its beginning.
  var framed = input
  _ = SpoolFormat.append(known, to: &framed)
  if isFramed(framed, across: input.count) { return 0 }
  let found = read(framed, isWhole: true)
  check(found.last?.record == known, "a record behind \(input.count) bytes was not found")
  check(found.count >= records.count, "records are gone since another follows them")
  return 0
}

@_cdecl("FuzzSpool_main")
public func start(_ count: CInt, _ arguments: Arguments?) -> CInt { fuzz(count, arguments, test) }

/// Every step goes on, and none goes beyond the end.
private func read(_ input: [UInt8], isWhole: Bool) -> [(record: SpoolRecord, range: Range<Int>)] {
  var records: [(SpoolRecord, Range<Int>)] = []
  var place = 0
  while place < input.count {
    switch SpoolFormat.step(input, at: place, isWhole: isWhole) {
    case .record(let record, let next):
      check(next > place && next <= input.count, "a record from \(place) to \(next)")
      records.append((record, place..<next))
      place = next
    case .bad(let next):
      check(next > place && next <= input.count, "a bad place from \(place) to \(next)")
      place = next
    case .more:
      check(!isWhole, "more is asked for at the end")
      return records
    }
  }
  return records
}

/// A frame begins before `place` and ends behind it: comparing what it sees, the fuzzer gets even checksums right.
private func isFramed(_ bytes: [UInt8], across place: Int) -> Bool {
  var start = 0
  while start < place {
    switch SpoolFormat.step(bytes, at: start, isWhole: true) {
    case .more: return false
    case .record(_, let next), .bad(let next):
      if next > place {
        let length = bytes[start + 4..<start + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
        return bytes[start...].starts(with: Array("FTR1".utf8)) && next == start + 12 + length
      }
      start = next
    }
  }
  return false
}
