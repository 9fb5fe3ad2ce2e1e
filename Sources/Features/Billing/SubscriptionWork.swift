import Basics
import Identity
import PostgreSQL

/// Works events of Stripe into the subscriptions: each once, and none that is older than what is known.
struct SubscriptionWork: Sendable {
  let database: Database

  /// The event is noted and its effect written in one transaction.
  func take(_ event: StripeEvent, at now: Instant) async throws {
    try await database.transaction(retries: 2) { connection in
      guard let organizationId = try await organization(of: event, on: connection) else {
        _ = try await note(event, nil, on: connection)
        return
      }
      guard try await note(event, organizationId, on: connection) else { return }
      let author = Audit.system(at: now)
      switch event.news {
      case .ordered(let order): try await open(order, orderedAt: event.created, author, on: connection)
      case .subscription(let news):
        try await apply(news, of: organizationId, toldAt: event.created, author, on: connection)
      case .paymentFailed: try await owe(organizationId, toldAt: event.created, author, on: connection)
      case .other: break
      }
    }
  }

  /// Whose event it is, with the organization's row held, so that two events of one organization wait for each other.
  private func organization(of event: StripeEvent, on connection: Connection) async throws -> UUID? {
    let named: UUID?
    let subscriptionId: String
    switch event.news {
    case .ordered(let order): (named, subscriptionId) = (order.organizationId, order.subscriptionId)
    case .subscription(let news): (named, subscriptionId) = (news.organizationId, news.subscriptionId)
    case .paymentFailed(let id): (named, subscriptionId) = (nil, id)
    case .other: return nil
    }
    let rows = try await connection.query(
      """
      SELECT o.id FROM organizations o
      WHERE o.id = coalesce((SELECT organization_id FROM subscriptions WHERE stripe_subscription_id = $1), $2)
      FOR NO KEY UPDATE
      """, [.text(subscriptionId), .optional(named)])
    return try rows.first?.uuid(0)
  }

  /// False when the event was worked in before.
  private func note(_ event: StripeEvent, _ organizationId: UUID?, on connection: Connection) async throws -> Bool {
    try await connection.execute(
      """
      INSERT INTO stripe_events (event_id, event_type, organization_id, happened_at) VALUES ($1, $2, $3, $4)
      ON CONFLICT (event_id) DO NOTHING
      """, [.text(event.id), .text(event.type), .optional(organizationId), .timestamp(event.created)]) == 1
  }

  // MARK: - What it changes

  /// The organization has this subscription from now on, unless it has a newer one. How it stands, its own events tell;
  /// they may have come before.
  private func open(
    _ order: Order, orderedAt: Instant, _ author: Value, on connection: Connection
  ) async throws {
    _ = try await connection.query(
      Self.logged(
        "'subscription.started'",
        """
        INSERT INTO subscriptions AS t (organization_id, plan, status, stripe_customer_id, stripe_subscription_id,
          started_at)
        VALUES ($1, coalesce($5, 'starter'), 'active', $3, $4, $7)
        ON CONFLICT (organization_id) DO UPDATE SET plan = coalesce($5, t.plan), status = 'active',
          stripe_customer_id = coalesce($3, t.stripe_customer_id), stripe_subscription_id = $4,
          current_period_start = NULL, current_period_end = NULL, trial_ends_at = NULL, canceled_at = NULL,
          started_at = $7, told_at = NULL, updated_at = now()
        WHERE t.stripe_subscription_id IS DISTINCT FROM $4 AND coalesce(t.started_at < $7, true)
        """, sensorLimit: "$6::integer"),
      [
        .uuid(order.organizationId), author, .optional(order.customerId), .text(order.subscriptionId),
        .optional(order.plan?.rawValue), .optional(order.plan?.sensorLimit), .timestamp(orderedAt),
      ])
  }

  /// An event that is older than what is known changes nothing. A subscription that was cancelled never comes back
  /// (a new one has a new id), which decides between events of the same second. While one subscription runs, another
  /// takes its place only by a checkout.
  private func apply(
    _ news: SubscriptionNews, of organizationId: UUID, toldAt: Instant, _ author: Value, on connection: Connection
  ) async throws {
    _ = try await connection.query(
      Self.logged(
        "'subscription.updated'",
        """
        INSERT INTO subscriptions AS t (organization_id, plan, status, stripe_customer_id, stripe_subscription_id,
          current_period_start, current_period_end, trial_ends_at, canceled_at, told_at, started_at)
        VALUES ($1, coalesce($6, 'starter'), $5, $3, $4, $7, $8, $9, $10, $11, coalesce($13, $11))
        ON CONFLICT (organization_id) DO UPDATE SET plan = coalesce($6, t.plan), status = $5,
          stripe_customer_id = coalesce($3, t.stripe_customer_id), stripe_subscription_id = $4,
          current_period_start = $7, current_period_end = $8, trial_ends_at = $9, canceled_at = $10, told_at = $11,
          started_at = coalesce($13, t.started_at), updated_at = now()
        WHERE CASE WHEN t.stripe_subscription_id = $4
          THEN t.told_at IS NULL OR t.told_at < $11 OR (t.told_at = $11 AND t.status <> 'canceled')
          ELSE t.stripe_subscription_id IS NULL
            OR (t.status = 'canceled' AND $5 <> 'canceled' AND coalesce(t.started_at < $13, true)) END
        """, sensorLimit: "$12::integer"),
      [
        .uuid(organizationId), author, .optional(news.customerId), .text(news.subscriptionId),
        .text(news.status.rawValue), .optional(news.plan?.rawValue), .optional(news.periodStart),
        .optional(news.periodEnd), .optional(news.trialEnd), .optional(news.canceledAt), .timestamp(toldAt),
        .optional(news.plan?.sensorLimit), .optional(news.startedAt),
      ])
  }

  private func owe(
    _ organizationId: UUID, toldAt: Instant, _ author: Value, on connection: Connection
  ) async throws {
    _ = try await connection.query(
      Self.logged(
        "'subscription.payment_failed'",
        """
        UPDATE subscriptions t SET status = 'past_due', told_at = $3, updated_at = now()
        WHERE t.organization_id = $1 AND t.status IN ('trial', 'active') AND coalesce(t.told_at <= $3, true)
        """), [.uuid(organizationId), author, .timestamp(toldAt)])
  }

  /// `change` of the subscription of organization `$1` by `$2`, with its entry in the log.
  ///
  /// - Parameter sensorLimit: the organization's from now on; it stays where the value is null.
  private static func logged(_ event: SQL, _ change: SQL, sensorLimit: SQL = "NULL::integer") -> SQL {
    "WITH old AS (SELECT * FROM subscriptions WHERE organization_id = $1), s AS (" + change
      + " RETURNING *), o AS (UPDATE organizations o SET sensor_limit = l.sensors, updated_at = now() FROM s, (SELECT "
      + sensorLimit
        + """
         AS sensors) l WHERE o.id = $1 AND l.sensors IS NOT NULL)
        SELECT append_event_log($1, $2,
        """ + " " + event
      + ", 'subscription', s.id, (SELECT to_jsonb(old) FROM old), to_jsonb(s)) FROM s"
  }
}
