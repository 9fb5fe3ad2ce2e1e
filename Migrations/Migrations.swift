import PostgreSQL

func b() -> Int { PackageResources._001_organizations_sql.count }
