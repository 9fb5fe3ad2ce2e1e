-- The same message is kept once, however often it is delivered, retried or replayed.

DELETE FROM quarantined_uplinks q USING quarantined_uplinks earlier
  WHERE earlier.organization_id = q.organization_id AND sha256(earlier.body) = sha256(q.body)
    AND (earlier.received_at, earlier.id) < (q.received_at, q.id);
CREATE UNIQUE INDEX quarantined_uplinks_once ON quarantined_uplinks (organization_id, sha256(body));

-- The list of an organization, newest first.
CREATE INDEX quarantined_uplinks_list ON quarantined_uplinks (organization_id, received_at, id);

-- The device that a claimed one belongs to, and what became of it.
ALTER TABLE quarantined_uplinks ADD COLUMN claimed_device_id uuid;
ALTER TABLE quarantined_uplinks ADD COLUMN outcome text;
ALTER TABLE quarantined_uplinks ADD FOREIGN KEY (organization_id, claimed_device_id)
  REFERENCES devices (organization_id, id);
CREATE INDEX quarantined_uplinks_claimed_device ON quarantined_uplinks (organization_id, claimed_device_id);
