func a() { print(PackageResources._001_a_sql.count) }
