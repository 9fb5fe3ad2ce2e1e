-- Objects of the object store that nothing refers to: of pictures that were removed, and of uploads that did not end.
-- They are deleted there when they are due, and again until it worked.
CREATE TABLE object_removals (
  object_key text PRIMARY KEY,
  due_at timestamptz NOT NULL,
  attempts integer NOT NULL DEFAULT 0
);
CREATE INDEX object_removals_due ON object_removals (due_at);

CREATE FUNCTION remove_object() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO object_removals (object_key, due_at) VALUES (OLD.object_key, now()) ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER object AFTER DELETE ON assets FOR EACH ROW EXECUTE FUNCTION remove_object();

DELETE FROM assets WHERE deleted_at IS NOT NULL;
DROP INDEX assets_entity;
ALTER TABLE assets DROP COLUMN deleted_at;
CREATE INDEX assets_entity ON assets (organization_id, asset_type, entity_id, created_at);
