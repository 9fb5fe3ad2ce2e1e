import Basics
import Migrations
import PostgreSQL
import Runtime
import Synchronization

/// A database for each test, copied from one that the migrations were applied to.
enum TestDatabase {
  static func make() async throws -> Database {
    try await Task.detached { try makeBlocking() }.value
  }

  private static let template = Mutex<(cluster: PrivateCluster, url: String)?>(nil)

  private static func makeBlocking() throws -> Database {
    let cluster = try template.withLock { template in
      if let made = template { return made.cluster }
      let cluster = PrivateCluster(directory: "/tmp/freshtrack-feature-tests-\(UUID.v4())", durable: false)
      try cluster.start()
      let admin = try DatabaseConfiguration(url: cluster.url())
      try EventLoop.run {
        let database = Database(admin)
        try await database.execute("CREATE DATABASE migrated")
        database.close()
        let migrated = Database(admin.database("migrated"))
        _ = try await Migrator(migrations: Migrations.all).apply(on: migrated)
        migrated.close()
      }
      template = (cluster, cluster.url())
      return cluster
    }
    let admin = try DatabaseConfiguration(url: cluster.url())
    let name = "t" + "\(UUID.v4())".filter { $0 != "-" }
    try EventLoop.run {
      let database = Database(admin)
      try await database.execute("CREATE DATABASE " + SQL.identifier(name) + " TEMPLATE migrated")
      database.close()
    }
    return Database(admin.database(name))
  }
}
