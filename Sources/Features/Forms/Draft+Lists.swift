import JSON

/// Columns that hold several values, and those that name a row of another table.
extension Draft {
  /// A column of `text[]`, each one of the raw values of `T`.
  public mutating func choices<T: RawRepresentable & CaseIterable>(
    _ name: String, _ column: String, count: ClosedRange<Int>, default fallback: [T]
  ) where T.RawValue == String {
    texts(name, column, .array(of: .choice(T.self), count: count), fallback.map(\.rawValue)) { fields in
      fields.choices(name, count: count, of: T.self).map(\.rawValue)
    }
  }

  /// A column of `text[]`. An element that is not valid is answered as "must be `what`".
  public mutating func texts(
    _ name: String, _ column: String, count: ClosedRange<Int>, length: ClosedRange<Int>, default fallback: [String],
    must what: String, _ isValid: (String) -> Bool
  ) {
    let element = Schema.text(length).noted("Must be \(what).")
    texts(name, column, .array(of: element, count: count), fallback) { fields in
      let texts = fields.strings(name, count: count, length)
      for (place, text) in texts.enumerated() where !text.isEmpty && !isValid(text) {
        fields.problem("\(name)/\(place)", "must be \(what)")
      }
      return texts
    }
  }

  /// A column of `uuid` that may be null.
  public mutating func optionalUUID(_ name: String, _ column: String) {
    guard sets(name) else { return }
    columns.field(column, fields.optionalUUID(name))
  }

  private mutating func texts(
    _ name: String, _ column: String, _ schema: Schema, _ fallback: [String], _ read: (inout Fields) -> [String]
  ) {
    func json(_ texts: [String]) -> [UInt8] {
      JSONWriter.bytes { json in json.array { json in for text in texts { json.string(text) } } }
    }
    set(name, column, schema, json(fallback)) { json(read(&$0)) }
  }

  /// A column of `jsonb`: an array of what `write` makes of each object. Without the field it is empty.
  public mutating func objects(
    _ name: String, _ column: String, count: ClosedRange<Int>, _ write: (inout Fields, inout JSONWriter) -> Void
  ) {
    let inside =
      fields.isDescribing
      ? Fields.describe { fields in
        var json = JSONWriter()
        write(&fields, &json)
      } : .any
    set(name, column, .array(of: inside, count: count), Array("[]".utf8)) { fields in
      let objects = fields.objects(name, count: count) { fields in
        JSONWriter.bytes { json in json.object { write(&fields, &$0) } }
      }
      return JSONWriter.bytes { json in json.array { json in for object in objects { json.raw(object) } } }
    }
  }

  private mutating func set(
    _ name: String, _ column: String, _ schema: Schema, _ fallback: [UInt8], _ read: (inout Fields) -> [UInt8]
  ) {
    let isAsked = asked(name, schema, fallback)
    guard isAsked || purpose == .create else { return }
    columns.key(column)
    columns.raw(isAsked ? read(&fields) : fallback)
  }
}
