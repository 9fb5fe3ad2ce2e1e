import CPostgreSQL

/// The OID of a type, as `pg_type` fixes it for the built-in ones.
struct TypeID: Hashable {
  let oid: Oid
  init(_ oid: Oid) { self.oid = oid }

  /// Left to the server.
  static let unspecified = TypeID(0)
  static let bool = TypeID(16)
  static let bytea = TypeID(17)
  static let char = TypeID(18)
  static let name = TypeID(19)
  static let int8 = TypeID(20)
  static let int2 = TypeID(21)
  static let int4 = TypeID(23)
  static let text = TypeID(25)
  static let oidType = TypeID(26)
  static let xid = TypeID(28)
  static let json = TypeID(114)
  static let float4 = TypeID(700)
  static let float8 = TypeID(701)
  static let unknown = TypeID(705)
  static let bpchar = TypeID(1042)
  static let varchar = TypeID(1043)
  static let date = TypeID(1082)
  static let time = TypeID(1083)
  static let timestamp = TypeID(1114)
  static let timestamptz = TypeID(1184)
  static let numeric = TypeID(1700)
  static let void = TypeID(2278)
  static let uuid = TypeID(2950)
  static let jsonb = TypeID(3802)

  static let boolArray = TypeID(1000)
  static let byteaArray = TypeID(1001)
  static let nameArray = TypeID(1003)
  static let int2Array = TypeID(1005)
  static let int4Array = TypeID(1007)
  static let textArray = TypeID(1009)
  static let varcharArray = TypeID(1015)
  static let xidArray = TypeID(1011)
  static let int8Array = TypeID(1016)
  static let float4Array = TypeID(1021)
  static let float8Array = TypeID(1022)
  static let timestampArray = TypeID(1115)
  static let dateArray = TypeID(1182)
  static let timestamptzArray = TypeID(1185)
  static let numericArray = TypeID(1231)
  static let uuidArray = TypeID(2951)
  static let jsonArray = TypeID(199)
  static let jsonbArray = TypeID(3807)

  /// True for arrays of built-in types that we read. Arrays of enumerations have no fixed OID and are recognised by
  /// their form.
  var isArray: Bool {
    switch self {
    case .boolArray, .byteaArray, .nameArray, .int2Array, .int4Array, .textArray, .varcharArray, .int8Array,
      .float4Array,
      .float8Array, .timestampArray, .dateArray, .timestamptzArray, .numericArray, .uuidArray, .jsonArray, .jsonbArray:
      true
    default: false
    }
  }

  /// True for types whose binary form is their text. Types of the user (enumerations above all) are taken to be so.
  var isText: Bool {
    switch self {
    case .text, .varchar, .bpchar, .name, .unknown, .json, .char: true
    default: oid >= 16_384
    }
  }
}
