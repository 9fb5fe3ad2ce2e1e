-- Work for people: what was raised, who took it, how it ended. Nothing that was said is overwritten.

CREATE TABLE alerts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL,
  unit_id uuid,
  device_id uuid,
  incident_id uuid UNIQUE,
  alert_type text NOT NULL CHECK (alert_type IN (
    'alarm_active', 'monitoring_interrupted', 'missed_manual_entry', 'low_battery', 'sensor_fault', 'door_open',
    'calibration_due', 'temp_excursion', 'suspected_cooling_failure', 'gateway_offline', 'device_clock_drift',
    'data_gap', 'humidity_excursion', 'battery_depleted', 'defrost_overrun', 'probe_disconnected')),
  severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'acknowledged', 'resolved')),
  message text,
  trigger_temperature numeric(6, 2),
  threshold_violated text CHECK (threshold_violated IN ('min', 'max')),
  triggered_at timestamptz NOT NULL,
  acknowledged_at timestamptz,
  acknowledged_by uuid REFERENCES profiles (id),
  resolved_at timestamptz,
  resolved_by uuid REFERENCES profiles (id),
  resolution text,
  resolution_type text CHECK (resolution_type IN ('auto', 'manual')),
  escalation_level integer NOT NULL DEFAULT 0,
  escalated_at timestamptz,
  metadata jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((status = 'resolved') = (resolved_at IS NOT NULL)),
  CHECK (status <> 'acknowledged' OR acknowledged_at IS NOT NULL),
  UNIQUE (organization_id, id),
  FOREIGN KEY (organization_id, unit_id) REFERENCES units (organization_id, id),
  FOREIGN KEY (organization_id, device_id) REFERENCES devices (organization_id, id),
  FOREIGN KEY (organization_id, incident_id) REFERENCES incidents (organization_id, id)
);
-- One open alert of a kind on a thing, however many workers look at it at once.
CREATE UNIQUE INDEX alerts_open ON alerts (organization_id, unit_id, alert_type, device_id) NULLS NOT DISTINCT
  WHERE status <> 'resolved';
CREATE INDEX alerts_newest ON alerts (organization_id, triggered_at DESC, id);
CREATE INDEX alerts_unit ON alerts (organization_id, unit_id, triggered_at);
CREATE INDEX alerts_device ON alerts (organization_id, device_id) WHERE device_id IS NOT NULL;
CREATE INDEX alerts_incident ON alerts (organization_id, incident_id);
CREATE INDEX alerts_acknowledged_by ON alerts (acknowledged_by) WHERE acknowledged_by IS NOT NULL;
CREATE INDEX alerts_resolved_by ON alerts (resolved_by) WHERE resolved_by IS NOT NULL;

CREATE TABLE alert_notes (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL,
  alert_id uuid NOT NULL,
  author uuid NOT NULL REFERENCES profiles (id),
  kind text NOT NULL CHECK (kind IN ('note', 'acknowledgement', 'resolution')),
  text text NOT NULL CHECK (char_length(text) BETWEEN 1 AND 2000),
  created_at timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (organization_id, alert_id) REFERENCES alerts (organization_id, id)
);
CREATE INDEX alert_notes_alert ON alert_notes (organization_id, alert_id, created_at);
CREATE INDEX alert_notes_author ON alert_notes (author);

-- What was done about it. An out-of-range manual reading needs one too, and has no alert.
CREATE TABLE corrective_actions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL,
  unit_id uuid,
  alert_id uuid,
  author uuid NOT NULL REFERENCES profiles (id),
  description text NOT NULL,
  action_taken text NOT NULL,
  product_disposition text CHECK (product_disposition IN ('kept', 'moved', 'discarded', 'held')),
  root_cause text,
  preventive_measures text,
  resolved_alert boolean NOT NULL DEFAULT false,
  taken_at timestamptz NOT NULL DEFAULT now(),
  created_at timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (organization_id, unit_id) REFERENCES units (organization_id, id),
  FOREIGN KEY (organization_id, alert_id) REFERENCES alerts (organization_id, id)
);
CREATE INDEX corrective_actions_unit ON corrective_actions (organization_id, unit_id, taken_at);
CREATE INDEX corrective_actions_alert ON corrective_actions (organization_id, alert_id);
CREATE INDEX corrective_actions_author ON corrective_actions (author);
