/// What can be subscribed to.
public enum Plan: String, Sendable, CaseIterable {
  case starter
  case pro
  case haccp
  /// By contract, not in the shop.
  case enterprise

  var title: String {
    switch self {
    case .starter: "Starter"
    case .pro: "Pro"
    case .haccp: "HACCP"
    case .enterprise: "Enterprise"
    }
  }

  /// Cents of a US dollar; nil: by contract.
  var monthlyPrice: Int? {
    switch self {
    case .starter: 2900
    case .pro: 7900
    case .haccp: 19_900
    case .enterprise: nil
    }
  }

  var sensorLimit: Int {
    switch self {
    case .starter: 5
    case .pro: 25
    case .haccp: 100
    case .enterprise: 100_000
    }
  }

  /// How far back charts go; nil: as far as readings are kept. Nothing is deleted sooner because of it.
  var historyDays: Int? {
    switch self {
    case .starter: 7
    case .pro: 30
    case .haccp, .enterprise: nil
    }
  }

  var hasTextMessages: Bool { self != .starter }
  var hasCompliance: Bool { self == .haccp || self == .enterprise }
}

/// The plans that can be bought over the counter.
enum ShopPlan: String, Sendable, CaseIterable {
  case starter
  case pro
  case haccp

  var plan: Plan {
    switch self {
    case .starter: .starter
    case .pro: .pro
    case .haccp: .haccp
    }
  }
}

public enum SubscriptionStatus: String, Sendable, CaseIterable {
  case trial
  case active
  case pastDue = "past_due"
  case canceled
  case paused

  /// Of Stripe's own word for it.
  init(stripe word: String) {
    switch word {
    case "trialing", "incomplete": self = .trial
    case "past_due", "unpaid": self = .pastDue
    case "canceled", "incomplete_expired": self = .canceled
    case "paused": self = .paused
    default: self = .active
    }
  }
}
