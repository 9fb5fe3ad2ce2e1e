import Basics
import HTTP
import Identity
import PostgreSQL

/// The one subscription of an organization. The limit of sensors goes with its plan.
struct SubscriptionStore: Sendable {
  let database: Database

  func get(_ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      """
      SELECT s.id, s.organization_id AS "organizationId", s.plan, s.status, o.sensor_limit AS "sensorLimit",
        (SELECT count(*) FROM devices d
          WHERE d.organization_id = $1 AND d.deleted_at IS NULL AND d.is_active) AS "currentSensorCount",
        s.stripe_customer_id AS "stripeCustomerId", s.stripe_subscription_id AS "stripeSubscriptionId",
        s.current_period_start AS "currentPeriodStart", s.current_period_end AS "currentPeriodEnd",
        s.trial_ends_at AS "trialEndsAt", s.canceled_at AS "canceledAt", s.created_at AS "createdAt",
        s.updated_at AS "updatedAt"
      FROM subscriptions s JOIN organizations o ON o.id = s.organization_id WHERE s.organization_id = $1
      """, [.uuid(scope.organizationId)])
  }

  /// What a checkout has to know: the customer at Stripe, whether something is being paid for already, and where a
  /// receipt goes.
  func account(_ scope: OrganizationScope) async throws -> Account {
    let rows = try await database.query(
      """
      SELECT s.stripe_customer_id, coalesce(s.stripe_subscription_id IS NOT NULL AND s.status <> 'canceled', false),
        (SELECT nullif(p.email, '') FROM profiles p WHERE p.organization_id = $1 AND p.user_id = $2)
      FROM (VALUES (1)) one LEFT JOIN subscriptions s ON s.organization_id = $1
      """, [.uuid(scope.organizationId), .uuid(scope.userId)])
    guard let row = rows.first else { return Account(customerId: nil, isSubscribed: false, email: nil) }
    return Account(
      customerId: try row.optionalText(0), isSubscribed: try row.bool(1), email: try row.optionalText(2))
  }

  struct Account {
    let customerId: String?
    let isSubscribed: Bool
    let email: String?
  }

  /// Somebody was sent to the till.
  func noteCheckout(of plan: Plan, _ scope: OrganizationScope, _ request: Request) async throws {
    _ = try await database.query(
      """
      SELECT append_event_log($1, $2, 'subscription.checkout_started', 'organization', $1, NULL,
        jsonb_build_object('plan', $3::text))
      """, [.uuid(scope.organizationId), Audit.author(scope, request), .text(plan.rawValue)])
  }
}
