-- What an organization has subscribed to, as Stripe tells it.

CREATE TABLE subscriptions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL UNIQUE REFERENCES organizations (id),
  plan text NOT NULL DEFAULT 'starter' CHECK (plan IN ('starter', 'pro', 'haccp', 'enterprise')),
  status text NOT NULL DEFAULT 'trial' CHECK (status IN ('trial', 'active', 'past_due', 'canceled', 'paused')),
  stripe_customer_id text,
  stripe_subscription_id text UNIQUE,
  current_period_start timestamptz,
  current_period_end timestamptz,
  trial_ends_at timestamptz,
  canceled_at timestamptz,
  -- When this subscription was made: an older one never takes its place.
  started_at timestamptz,
  -- When Stripe made the newest event that is in this row: an older one changes nothing.
  told_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX subscriptions_customer ON subscriptions (stripe_customer_id);

-- Events that were worked in, so that a second delivery does nothing.
CREATE TABLE stripe_events (
  event_id text PRIMARY KEY CHECK (char_length(event_id) BETWEEN 1 AND 256),
  event_type text NOT NULL,
  organization_id uuid REFERENCES organizations (id),
  happened_at timestamptz NOT NULL,
  processed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX stripe_events_organization ON stripe_events (organization_id) WHERE organization_id IS NOT NULL;
