-- The deletion of a whole organization goes in steps that are committed one by one: it may have millions of rows. Rows
-- here are of deletions that are under way; what was deleted stands in the platform's log.
CREATE TABLE organization_purges (
  about_organization uuid PRIMARY KEY,
  name text NOT NULL,
  author jsonb NOT NULL,
  started_at timestamptz NOT NULL,
  entries bigint,
  last_hash text,
  place text,
  pass_rows bigint NOT NULL DEFAULT 0,
  rows bigint NOT NULL DEFAULT 0
);
COMMENT ON COLUMN organization_purges.entries IS 'of its log, which ended with last_hash';
COMMENT ON COLUMN organization_purges.place IS 'the table that is being emptied';
COMMENT ON COLUMN organization_purges.pass_rows IS 'since the first table: it is over when a whole pass finds nothing';

DROP FUNCTION purge_organization(uuid);

-- The tables that have an organization_id, children before their parents; of a partitioned one its parts.
CREATE FUNCTION purge_order() RETURNS regclass[] LANGUAGE plpgsql STABLE AS $$
DECLARE
  remaining regclass[];
  ready regclass[];
  tables regclass[] := '{}';
BEGIN
  SELECT array_agg(c.oid) INTO remaining FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'organization_id' AND NOT a.attisdropped
  WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace;
  WHILE cardinality(remaining) > 0 LOOP
    SELECT array_agg(t ORDER BY t::text) INTO ready FROM unnest(remaining) AS t WHERE NOT EXISTS (
      SELECT FROM pg_constraint k
      WHERE k.contype = 'f' AND k.confrelid = t AND k.conrelid <> t AND k.conrelid = ANY (remaining));
    IF ready IS NULL THEN RAISE EXCEPTION 'tables refer to each other in a circle'; END IF;
    tables := tables || ready;
    SELECT array_agg(t) INTO remaining FROM unnest(remaining) AS t WHERE t <> ALL (ready);
  END LOOP;
  RETURN tables;
END $$;

-- Deletes up to `most` rows of an organization from one table and returns how many: by the index of organizations, and
-- where there is none, by its units and its devices, which go later.
CREATE FUNCTION purge_rows(place regclass, organization uuid, most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  way record;
  has_way boolean := false;
  deleted bigint;
  total bigint := 0;
BEGIN
  FOR way IN
    SELECT w.source, w.link FROM (
      VALUES ('units', 'unit_id'), ('devices', 'device_id')) AS w (source, link)
    JOIN pg_attribute a ON a.attrelid = place AND a.attname = w.link AND NOT a.attisdropped
    WHERE NOT EXISTS (
      SELECT FROM pg_index i JOIN pg_attribute o ON o.attrelid = place AND o.attname = 'organization_id'
      WHERE i.indrelid = place AND i.indkey[0] = o.attnum AND i.indpred IS NULL)
  LOOP
    has_way := true;
    EXECUTE format(
      'DELETE FROM ONLY %1$s WHERE ctid = ANY (ARRAY(
         SELECT t.ctid FROM %2$I p JOIN ONLY %1$s t ON t.%3$I = p.id
         WHERE p.organization_id = $1 AND t.organization_id = $1 LIMIT $2))', place, way.source, way.link)
      USING organization, most - total;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    total := total + deleted;
  END LOOP;
  IF has_way THEN RETURN total; END IF;
  EXECUTE format(
    'DELETE FROM ONLY %1$s WHERE ctid = ANY (ARRAY(
       SELECT ctid FROM ONLY %1$s WHERE organization_id = $1 LIMIT $2))', place) USING organization, most;
  GET DIAGNOSTICS deleted = ROW_COUNT;
  RETURN deleted;
END $$;

-- Deletes about `most` rows of an organization whose deletion has begun. Returns how many are gone altogether, and whether
-- that was all: then the organization is gone too. No row when there is no such deletion.
CREATE FUNCTION purge_step(organization uuid, most bigint) RETURNS TABLE (gone bigint, is_over boolean)
  LANGUAGE plpgsql AS $$
DECLARE
  purge organization_purges;
  tables regclass[];
  number integer;
  budget bigint := most;
  deleted bigint;
  earlier regclass;
BEGIN
  SELECT * INTO purge FROM organization_purges WHERE about_organization = organization FOR UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM set_config('freshtrack.purging', 'on', true);
  tables := purge_order();
  number := coalesce(array_position(tables::text[], purge.place), 1);
  WHILE budget > 0 AND number <= cardinality(tables) LOOP
    -- Rows that came behind are found by their unit or device: once more, before these go.
    IF tables[number] IN ('units'::regclass, 'devices'::regclass) THEN
      FOREACH earlier IN ARRAY tables[1:number - 1] LOOP
        budget := budget - purge_rows(earlier, organization, budget);
      END LOOP;
      EXIT WHEN budget = 0;
    END IF;
    deleted := purge_rows(tables[number], organization, budget);
    IF deleted < budget THEN number := number + 1; END IF;
    budget := budget - deleted;
  END LOOP;
  purge.rows := purge.rows + most - budget;
  purge.pass_rows := purge.pass_rows + most - budget;
  IF number <= cardinality(tables) THEN
    UPDATE organization_purges SET place = tables[number]::text, pass_rows = purge.pass_rows, rows = purge.rows
    WHERE about_organization = organization;
  ELSIF purge.pass_rows > 0 THEN
    UPDATE organization_purges SET place = NULL, pass_rows = 0, rows = purge.rows
    WHERE about_organization = organization;
  ELSE
    DELETE FROM organizations WHERE id = organization;
    DELETE FROM organization_purges WHERE about_organization = organization;
    purge.rows := purge.rows + 1;
    PERFORM append_platform_log(purge.author, 'organization.purged', organization, NULL,
      jsonb_build_object('name', purge.name, 'rows', purge.rows, 'entries', purge.entries, 'lastHash', purge.last_hash));
  END IF;
  PERFORM set_config('freshtrack.purging', '', true);
  RETURN QUERY SELECT purge.rows, number > cardinality(tables) AND purge.pass_rows = 0;
END $$;
