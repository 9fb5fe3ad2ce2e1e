import Devices
import JSON

extension Schema {
  static let ttnConnection = Schema.object(
    "TTNConnection",
    [
      .uuid("id"), .uuid("organizationId"), .text("cluster"), .text("applicationId"), .bool("isEnabled"),
      .bool("hasApiKey"), .text("apiKeyLast4").orNull, .text("webhookId").orNull, .text("webhookUrl").orNull,
      .instant("webhookRegisteredAt").orNull, .integer("storageHours"), .instant("lastTestAt").orNull,
      .bool("lastTestSucceeded").orNull, .text("lastTestMessage").orNull, .instant("lastSyncAt").orNull,
      .text("lastSyncError").orNull, .instant("createdAt"), .instant("updatedAt"),
    ])

  static let ttnTest = Schema.object(
    "TTNTest",
    [
      .bool("success"), .text("message"), .array("missingRights", of: .text), .text("applicationId"), .text("cluster"),
      .bool("webhookHealthy").orNull, .integer("webhookFailedAttempts").orNull, .instant("testedAt"),
    ])

  static let ttnHealth = Schema.object(
    "TTNHealth",
    [
      .bool("isConfigured"), .bool("isEnabled"), .instant("webhookRegisteredAt").orNull,
      .instant("lastUplinkAt").orNull, .instant("webhookLastUsedAt").orNull,
      .object("devices", [.integer("total"), .integer("silent"), .integer("missingAtNetwork")]),
      .object(
        "gaps",
        [
          .integer("openGaps"), .integer("openFrames"), .integer("healedFrames"), .integer("lostOnAirFrames"),
          .integer("unexplainedFrames"), .text("oldestOpenAt").orNull,
        ]),
      .object(
        "healing",
        [
          .bool("isUnderWay"), .text("lastPullAt").orNull, .text("takenUntil").orNull, .integer("attempts"),
          .text("nextAttemptAt").orNull, .text("error").orNull,
        ]
      ).orNull,
      .value("quarantine", .map(of: .integer)),
    ])

  static let ttnProvisioningLog = Schema.object(
    "TTNProvisioningLog",
    [
      .uuid("id"), .instant("createdAt"), .text("step"), .text("status"), .text("subject").orNull,
      .text("message").orNull, .text("ttnEndpoint"), .integer("ttnHttpStatus").orNull, .integer("durationMs"),
      .text("requestId").orNull,
    ])

  static let ttnDevice = Schema.object(
    "TTNDevice",
    [
      .uuid("id"), .text("deviceId"), .text("devEui"), .text("joinEui").orNull, .text("name"),
      .text("description").orNull, .uuid("unitId").orNull, .choice("status", DeviceStatus.self),
      .instant("lastSeenAt").orNull, .bool("ttnSynced"), .instant("createdAt"), .instant("updatedAt"),
    ])

  static let ttnBootstrap = Schema.object(
    "TTNBootstrap",
    [
      .uuid("id"), .text("deviceId"), .text("devEui"), .text("joinEui"), .text("appKey"), .text("name"),
      .text("description").orNull, .uuid("unitId").orNull, .uuid("siteId").orNull,
      .choice("status", DeviceStatus.self), .bool("ttnSynced"), .instant("createdAt"), .instant("updatedAt"),
    ])

  static let ttnGateway = Schema.object(
    "TTNGateway",
    [
      .uuid("id"), .text("gatewayId"), .text("gatewayEui").orNull, .text("name").orNull, .text("description").orNull,
      .text("frequencyPlanId").orNull, .choice("status", GatewayStatus.self), .number("latitude").orNull,
      .number("longitude").orNull, .number("altitude").orNull, .uuid("siteId").orNull, .instant("lastSeenAt").orNull,
      .bool("ttnSynced"), .instant("createdAt"), .instant("updatedAt"),
    ])

  static let deviceEvent = Schema.object(
    "DeviceEvent",
    [
      .uuid("id"), .uuid("deviceId"), .text("eventType"), .instant("occurredAt"), .instant("receivedAt"),
      .any("payload"),
    ])

  static let uplinkLedger = Schema.object(
    "UplinkLedger",
    [
      .value("sessions", .array(of: .uplinkSession)), .value("gaps", .array(of: .uplinkGap)),
    ])

  static let uplinkSession = Schema.object(
    "UplinkSession",
    [
      .text("sessionKeyId"), .text("firstAt"), .text("lastAt"), .integer("firstFrame"), .integer("lastFrame"),
      .integer("received"), .integer("duplicate"), .integer("healed"), .integer("lostOnAir"), .integer("unexplained"),
      .integer("open"),
    ])

  static let uplinkGap = Schema.object(
    "UplinkGap",
    [
      .text("sessionKeyId"), .integer("firstFrame"), .integer("lastFrame"), .text("afterAt"), .text("beforeAt"),
      .choice("state", GapState.self), .text("reason").orNull, .text("detectedAt"), .text("settledAt").orNull,
    ])

  static let settingsRequest = Schema.object(
    "SettingsRequest",
    [
      .uuid("id"), .uuid("deviceId"), .choice("state", SettingsState.self), .any("settings"), .integer("fPort"),
      .text("payload"), .bool("confirmed"), .text("error").orNull, .uuid("requestedBy"), .instant("requestedAt"),
      .instant("queuedAt").orNull, .instant("sentAt").orNull, .instant("failedAt").orNull, .instant("ackedAt").orNull,
    ])
}
