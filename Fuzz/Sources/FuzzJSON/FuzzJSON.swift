import Fuzzing
import Glibc
import JSON

/// What is read as JSON is written and read again: it must be the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = bytes(start, count)
  let document: JSONDocument
  do throws(JSONError) {
    document = try JSONDocument(input)
  } catch {
    check((0...count).contains(error.offset), "an error at byte \(error.offset) of \(count)")
    if let loose = try? JSONDocument(input, limits: JSONLimits(allowsDuplicateKeys: true)) {
      check(error.reason.contains("key") || error.reason.contains("name"), "refused: \(error)")
      look(at: loose.root)
    }
    return 0
  }
  look(at: document.root)
  var first = JSONWriter()
  write(document.root, to: &first)
  guard let again = try? JSONDocument(first.bytes) else { fatalError("what was written cannot be read") }
  check(same(document.root, again.root), "what was written means something else")
  var second = JSONWriter()
  write(again.root, to: &second)
  check(first.bytes == second.bytes, "written twice, it differs")
  fields(document.root)
  return 0
}

@_cdecl("FuzzJSON_main")
public func start(_ count: CInt, _ arguments: Arguments?) -> CInt { fuzz(count, arguments, test) }

/// Everything that can be asked of a value.
private func look(at value: JSONValue) {
  _ = (value.isNull, value.bool, value.rawBytes.count)
  switch value.kind {
  case .null, .bool: break
  case .number: look(atNumber: value)
  case .string:
    let text = value.string
    check(value.withStringBytes { span in span.count } == text?.utf8.count, "two lengths of one string")
  case .array:
    var count = 0
    for element in value.elements {
      look(at: element)
      count += 1
    }
    check(count == value.count, "an array of \(value.count) has \(count) elements")
    check(value[count] == nil && value[-1] == nil, "an element outside")
  case .object:
    var count = 0
    for (key, member) in value.members {
      check(value[key: key] != nil, "a member that cannot be found")
      look(at: member)
      count += 1
    }
    check(count == value.count, "an object of \(value.count) has \(count) members")
  }
}

private func look(atNumber value: JSONValue) {
  let text = String(decoding: value.rawBytes, as: UTF8.self)
  let double = value.double
  let wanted = strtod(text, nil)
  check(double == (wanted.isFinite ? wanted : nil), "\(text) is read as \(String(describing: double))")
  if let int = value.int { check(double == Double(int), "\(text) is read as \(int)") }
  if let exact = value.decimal(scale: 2) {
    check(value.decimal(scale: 2, rounding: .halfAwayFromZero) == exact, "\(text) is rounded without need")
  }
  if let double {
    let written = JSONWriter.bytes { $0.number(double) }
    check((try? JSONDocument(written))?.root.double == double, "\(text) does not come back")
  }
}

/// Strings and keys are written anew, numbers as they came.
private func write(_ value: JSONValue, to writer: inout JSONWriter) {
  switch value.kind {
  case .null: writer.null()
  case .bool: writer.bool(value.bool ?? false)
  case .number: writer.value(value)
  case .string: writer.string(value.string ?? "")
  case .array: writer.array { writer in for element in value.elements { write(element, to: &writer) } }
  case .object:
    writer.object { writer in
      for (key, member) in value.members {
        writer.key(key)
        write(member, to: &writer)
      }
    }
  }
}

private func same(_ a: JSONValue, _ b: JSONValue) -> Bool {
  guard a.kind == b.kind, a.count == b.count else { return false }
  switch a.kind {
  case .null: return true
  case .bool: return a.bool == b.bool
  case .number: return a.rawBytes == b.rawBytes
  case .string: return a.string.map { Array($0.utf8) } == b.string.map { Array($0.utf8) }
  case .array: return zip(a.elements, b.elements).allSatisfy { same($0, $1) }
  case .object: return zip(a.members, b.members).allSatisfy { $0.key == $1.key && same($0.value, $1.value) }
  }
}

/// The fields of a request body: whatever they hold, problems are named and nothing breaks.
private func fields(_ root: JSONValue) {
  guard root.kind == .object else { return }
  for (key, _) in root.members {
    var fields = Fields(root, path: "")
    _ = fields.string(key, 1...20)
    _ = fields.optionalInt(key, in: -5...5)
    _ = fields.optionalDecimal(key, in: -100...100)
    _ = fields.optionalRoundedDecimal(key, in: -100...100)
    _ = fields.bool(key, default: false)
    _ = fields.optionalUUID(key)
    _ = fields.optionalInstant(key)
    _ = fields.objects(key, count: 0...3) { $0.optionalString(key, 0...5) }
    do {
      try fields.check()
    } catch {
      check(!error.details.isEmpty, "refused without a reason")
    }
  }
}
