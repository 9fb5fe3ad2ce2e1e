-- A writer that has judged readings by states which it remembered writes them under the condition that nobody has changed
-- anything meanwhile. This is the condition: it returns the transaction's id, which is the version (xmin) of every row
-- that the transaction writes, or ends the transaction with FT001.
CREATE FUNCTION require_unchanged(moved bigint, expected bigint, version bigint, known_version bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
  IF moved = expected AND version = known_version THEN RETURN txid_current() & 4294967295; END IF;
  RAISE EXCEPTION 'what was known has changed' USING ERRCODE = 'FT001';
END $$;
