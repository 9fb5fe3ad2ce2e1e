-- An import changes years of a unit at once: one mark for the whole stretch. Null: the one hour.
ALTER TABLE rollup_marks ADD COLUMN until timestamptz CHECK (until > hour);
