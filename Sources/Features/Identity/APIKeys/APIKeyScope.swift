import Basics

/// What an API key may do.
public enum APIKeyScope: String, Sendable, CaseIterable {
  case ingest
  case read
}

/// Proof that a valid API key came with the request. Only ``APIKeys`` makes one.
public struct IngestScope: Sendable, Equatable {
  public let organizationId: UUID
  public let apiKeyId: UUID
  /// The key speaks only for units of this site.
  public let siteId: UUID?

  /// What ``APIKeys`` has made before, read back from where the request waited.
  public init(confirmedEarlier organizationId: UUID, apiKeyId: UUID, siteId: UUID?) {
    self.init(organizationId: organizationId, apiKeyId: apiKeyId, siteId: siteId)
  }

  init(organizationId: UUID, apiKeyId: UUID, siteId: UUID?) {
    self.organizationId = organizationId
    self.apiKeyId = apiKeyId
    self.siteId = siteId
  }
}
