import Identity
import Migrations
import PostgreSQL
import TestSupport
import Testing

@testable import freshtrack

@Test func `every sealed column of the schema gets a new encryption key`() async throws {
  let columns = try await withDatabase(template: Migrations.all) { database in
    try await database.query(
      """
      SELECT table_name || '.' || column_name FROM information_schema.columns
      WHERE table_schema = current_schema() AND data_type = 'bytea' AND column_name ~ 'sealed|encrypted' ORDER BY 1
      """
    ).map { try $0.text(0) }
  }
  #expect(columns == Composition.sealed.map(\.name).sorted())
  #expect(columns.count > 1)
}
