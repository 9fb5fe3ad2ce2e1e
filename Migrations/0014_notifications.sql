-- Who is told, when and how; and what became of each message.

-- For the organization, a site or a unit: the nearest one that names the type of the alert holds, whole.
-- Step delays are minutes after the alert was triggered. Quiet hours are in the zone of the site.
CREATE TABLE notification_policies (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id),
  site_id uuid,
  unit_id uuid,
  alert_type text NOT NULL CHECK (alert_type IN (
    'alarm_active', 'monitoring_interrupted', 'missed_manual_entry', 'low_battery', 'sensor_fault', 'door_open',
    'calibration_due', 'temp_excursion', 'suspected_cooling_failure', 'gateway_offline', 'device_clock_drift',
    'data_gap', 'humidity_excursion', 'battery_depleted', 'defrost_overrun', 'probe_disconnected')),
  initial_channels text[] NOT NULL DEFAULT '{IN_APP_CENTER}'
    CHECK (initial_channels <@ ARRAY['WEB_TOAST', 'IN_APP_CENTER', 'EMAIL', 'SMS']),
  requires_ack boolean NOT NULL DEFAULT false,
  ack_deadline_minutes integer CHECK (ack_deadline_minutes > 0),
  escalation_steps jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(escalation_steps) = 'array'),
  send_resolved_notifications boolean NOT NULL DEFAULT false,
  reminders_enabled boolean NOT NULL DEFAULT false,
  reminder_interval_minutes integer CHECK (reminder_interval_minutes > 0),
  quiet_hours_enabled boolean NOT NULL DEFAULT false,
  quiet_hours_start_local time,
  quiet_hours_end_local time,
  severity_threshold text NOT NULL DEFAULT 'WARNING' CHECK (severity_threshold IN ('INFO', 'WARNING', 'CRITICAL')),
  allow_warning_notifications boolean NOT NULL DEFAULT false,
  notify_roles text[] NOT NULL DEFAULT '{owner,admin}'
    CHECK (notify_roles <@ ARRAY['owner', 'admin', 'manager', 'staff', 'viewer', 'inspector']),
  notify_site_managers boolean NOT NULL DEFAULT true,
  notify_assigned_users boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK (site_id IS NULL OR unit_id IS NULL),
  CONSTRAINT notification_policies_quiet_hours
    CHECK (NOT quiet_hours_enabled OR (quiet_hours_start_local IS NOT NULL AND quiet_hours_end_local IS NOT NULL)),
  CONSTRAINT notification_policies_reminders CHECK (NOT reminders_enabled OR reminder_interval_minutes IS NOT NULL),
  CONSTRAINT notification_policies_site FOREIGN KEY (organization_id, site_id) REFERENCES sites (organization_id, id),
  CONSTRAINT notification_policies_unit FOREIGN KEY (organization_id, unit_id) REFERENCES units (organization_id, id)
);
CREATE UNIQUE INDEX notification_policies_scope
  ON notification_policies (organization_id, site_id, unit_id, alert_type) NULLS NOT DISTINCT;
CREATE INDEX notification_policies_unit_type ON notification_policies (organization_id, unit_id, alert_type);

-- People who are called when nobody takes an alert. Priority 1 is called first.
CREATE TABLE escalation_contacts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id),
  user_id uuid,
  name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 256),
  email text,
  phone text CHECK (phone ~ '^\+[1-9][0-9]{1,14}$'),
  priority integer NOT NULL DEFAULT 1 CHECK (priority >= 1),
  notification_channels text[] NOT NULL DEFAULT '{email}'
    CHECK (cardinality(notification_channels) > 0 AND notification_channels <@ ARRAY['email', 'sms']),
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  CONSTRAINT escalation_contacts_email CHECK (NOT 'email' = ANY (notification_channels) OR email IS NOT NULL),
  CONSTRAINT escalation_contacts_phone CHECK (NOT 'sms' = ANY (notification_channels) OR phone IS NOT NULL),
  UNIQUE (organization_id, id),
  CONSTRAINT escalation_contacts_user FOREIGN KEY (organization_id, user_id)
    REFERENCES user_roles (organization_id, user_id) ON DELETE SET NULL (user_id)
);
CREATE INDEX escalation_contacts_order ON escalation_contacts (organization_id, priority) WHERE deleted_at IS NULL;
CREATE INDEX escalation_contacts_member ON escalation_contacts (organization_id, user_id);

-- Which alerts go by e-mail to a fixed list. Without a row the defaults hold.
CREATE TABLE notification_settings (
  organization_id uuid PRIMARY KEY REFERENCES organizations (id),
  email_enabled boolean NOT NULL DEFAULT true,
  recipients text[] NOT NULL DEFAULT '{}',
  notify_temp_excursion boolean NOT NULL DEFAULT true,
  notify_alarm_active boolean NOT NULL DEFAULT true,
  notify_manual_required boolean NOT NULL DEFAULT true,
  notify_offline boolean NOT NULL DEFAULT false,
  notify_low_battery boolean NOT NULL DEFAULT false,
  notify_warnings boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- The organization's own account for text messages. The key is sealed for
-- 'sms_configs/<organization_id>/telnyx_api_key'.
CREATE TABLE sms_configs (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL UNIQUE REFERENCES organizations (id),
  telnyx_api_key_sealed bytea NOT NULL,
  telnyx_phone_number text NOT NULL CHECK (telnyx_phone_number ~ '^\+[1-9][0-9]{1,14}$'),
  telnyx_messaging_profile_id text,
  is_enabled boolean NOT NULL DEFAULT true,
  last_test_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- One message to one recipient by one channel: first owed, then tried, then told by the provider what became of it.
-- A message that was not sent on purpose is here too, with the reason.
CREATE TABLE notification_deliveries (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id),
  alert_id uuid,
  occasion text NOT NULL CHECK (occasion IN ('triggered', 'escalated', 'reminder', 'resolved', 'test')),
  escalation_step integer NOT NULL DEFAULT 0 CHECK (escalation_step >= 0),
  channel text NOT NULL CHECK (channel IN ('in_app', 'push', 'email', 'sms')),
  recipient text NOT NULL CHECK (char_length(recipient) BETWEEN 1 AND 320),
  user_id uuid,
  contact_id uuid,
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sent', 'delivered', 'failed', 'suppressed')),
  suppressed_reason text,
  provider text,
  provider_message_id text,
  error_code text,
  error text,
  attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  next_attempt_at timestamptz,
  sent_at timestamptz,
  delivered_at timestamptz,
  failed_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((status = 'suppressed') = (suppressed_reason IS NOT NULL)),
  FOREIGN KEY (organization_id, alert_id) REFERENCES alerts (organization_id, id),
  FOREIGN KEY (organization_id, contact_id) REFERENCES escalation_contacts (organization_id, id)
);
-- However many workers look at an alert, nobody is told the same thing twice.
CREATE UNIQUE INDEX notification_deliveries_once
  ON notification_deliveries (alert_id, occasion, escalation_step, channel, recipient) WHERE occasion <> 'reminder';
CREATE INDEX notification_deliveries_newest ON notification_deliveries (organization_id, created_at DESC, id);
CREATE INDEX notification_deliveries_alert ON notification_deliveries (organization_id, alert_id);
CREATE INDEX notification_deliveries_contact ON notification_deliveries (organization_id, contact_id)
  WHERE contact_id IS NOT NULL;
CREATE UNIQUE INDEX notification_deliveries_provider ON notification_deliveries (provider, provider_message_id);
CREATE INDEX notification_deliveries_due ON notification_deliveries (next_attempt_at) WHERE status = 'pending';
