-- Nodes, leases, audit log. 14-storage, section 3.6.

CREATE TABLE nodes (
  node_id uuid PRIMARY KEY, name text NOT NULL, advertise_url text NOT NULL, version text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(), heartbeat_at timestamptz NOT NULL DEFAULT now(),
  draining boolean NOT NULL DEFAULT false, max_devices int NOT NULL) WITH (fillfactor = 50);

CREATE TABLE device_leases (                  -- one row per device, made with the device
  did bigint PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
  node_id uuid, epoch bigint NOT NULL DEFAULT 0, expires_at timestamptz NOT NULL DEFAULT '-infinity', acquired_at timestamptz,
  live_state text NOT NULL DEFAULT 'none' CHECK (live_state IN ('none','loading','connecting','connected','logged_in')), live_error text NOT NULL DEFAULT '',
  prefer_node uuid) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX device_leases_free ON device_leases (expires_at);
CREATE INDEX device_leases_node ON device_leases (node_id);

CREATE TABLE commit_positions (               -- newest batch of each group-commit queue: makes repeating a batch of unknown outcome harmless
  queue uuid PRIMARY KEY, batch bigint NOT NULL DEFAULT 0, at timestamptz NOT NULL DEFAULT now()) WITH (fillfactor = 20);

CREATE TABLE audit_log (
  id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL DEFAULT now(), tenant_id bigint, device_id uuid,
  actor text NOT NULL, actor_ip inet, request_id text, action text NOT NULL, target text NOT NULL DEFAULT '', result text NOT NULL, detail jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE INDEX audit_tenant ON audit_log (tenant_id, at DESC);
CREATE TABLE audit_log_default PARTITION OF audit_log DEFAULT;
