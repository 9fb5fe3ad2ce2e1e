/// Some rows of a stream, in the order of the statement.
public struct RowBatch: RandomAccessCollection, Sendable {
  /// One row each.
  let results: [ResultHandle]

  public var startIndex: Int { 0 }
  public var endIndex: Int { results.count }
  public subscript(index: Int) -> Row { Row(result: results[index], row: 0) }
}
