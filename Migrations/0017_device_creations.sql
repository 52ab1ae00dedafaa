-- Idempotency-Key of POST /devices (10-rest-api, row 15): the device that the first request with a key made, and its secret,
-- sealed, for repetitions within a day. Only sb_system reads and writes it.

CREATE TABLE device_creations (
  tenant_id bigint NOT NULL REFERENCES tenants ON DELETE CASCADE, key text NOT NULL,
  request_hash bytea NOT NULL, did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, secret_enc bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (tenant_id, key));
CREATE INDEX device_creations_did ON device_creations (did);
CREATE INDEX device_creations_age ON device_creations (created_at);

DO $$
BEGIN
  IF (SELECT value FROM settings WHERE key = 'row_level_security') = 'true' THEN
    GRANT SELECT, INSERT, UPDATE, DELETE ON device_creations TO sb_system;
    ALTER TABLE device_creations ENABLE ROW LEVEL SECURITY;
    ALTER TABLE device_creations FORCE ROW LEVEL SECURITY;
    CREATE POLICY system_rows ON device_creations FOR ALL TO sb_system USING (true) WITH CHECK (true);
  END IF;
END $$;
