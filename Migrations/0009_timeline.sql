-- What happened to the connection of a device, for whoever asks why. 15-peers-and-users, P18.

CREATE TABLE device_timeline (                -- 30 days
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, at timestamptz NOT NULL, event text NOT NULL, detail jsonb NOT NULL DEFAULT '{}');
CREATE INDEX device_timeline_newest ON device_timeline (did, at DESC);
CREATE INDEX device_timeline_age ON device_timeline (at);

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM settings WHERE key = 'row_level_security' AND value = 'true') THEN RETURN; END IF;
  GRANT SELECT ON device_timeline TO sb_app, sb_engine;
  GRANT INSERT ON device_timeline TO sb_commit;
  GRANT SELECT, INSERT, UPDATE, DELETE ON device_timeline TO sb_system;
  ALTER TABLE device_timeline ENABLE ROW LEVEL SECURITY;
  ALTER TABLE device_timeline FORCE ROW LEVEL SECURITY;
  CREATE POLICY engine_rows ON device_timeline FOR SELECT TO sb_engine, sb_app
    USING (did = nullif(current_setting('sb.did', true), '')::bigint);
  CREATE POLICY commit_rows ON device_timeline FOR INSERT TO sb_commit WITH CHECK (true);
  CREATE POLICY system_rows ON device_timeline FOR ALL TO sb_system USING (true) WITH CHECK (true);
END $$;
