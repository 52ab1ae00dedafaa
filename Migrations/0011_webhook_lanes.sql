-- A node takes a webhook's lane, not single rows: one small update for a run of deliveries (14-storage, section 8, and
-- 16-performance-durability, section 5.8). What waits and what is tried again have indexes of their own, so that a
-- claim costs the same however many rows wait.

ALTER TABLE webhooks ADD COLUMN claimed_by uuid, ADD COLUMN claimed_until timestamptz;
ALTER TABLE webhooks SET (fillfactor = 50);
-- Whose events are kept for streams although no webhook wants them.
ALTER TABLE devices ADD COLUMN streamed_until timestamptz;
ALTER TABLE webhook_deliveries ADD COLUMN first_failed_at timestamptz;

DROP INDEX webhook_deliveries_due;
DROP INDEX webhook_deliveries_when;
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (webhook_id, priority, seq, id)
  WHERE state = 'pending' AND NOT is_test;
CREATE INDEX webhook_deliveries_retrying ON webhook_deliveries (webhook_id, next_attempt_at)
  WHERE state = 'retrying' AND NOT is_test;

DO $$
BEGIN
  IF (SELECT value FROM settings WHERE key = 'row_level_security') = 'true' THEN
    GRANT SELECT (disabled_reason) ON webhooks TO sb_commit;
  END IF;
END $$;

-- Partitions of deliveries are vacuumed early: dead entries at the head of the index above slow every claim.
CREATE OR REPLACE FUNCTION create_partitions(ahead int DEFAULT 2) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
  made int := 0; month date; day date; parent text; options text; today date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
  PERFORM pg_advisory_xact_lock(731058403);
  FOR i IN -1..ahead LOOP
    month := (date_trunc('month', today) + make_interval(months => i))::date;
    made := made + create_partition('messages', 'ts', 'messages_' || to_char(month, 'YYYYMM'),
      month || ' 00:00:00+00', (month + interval '1 month')::date || ' 00:00:00+00', 'WITH (fillfactor = 90)')::int;
    made := made + create_partition('audit_log', 'at', 'audit_log_' || to_char(month, 'YYYYMM'),
      month || ' 00:00:00+00', (month + interval '1 month')::date || ' 00:00:00+00', '')::int;
  END LOOP;
  FOREACH parent IN ARRAY ARRAY['webhook_events', 'webhook_deliveries', 'webhook_attempts'] LOOP
    options := CASE parent WHEN 'webhook_deliveries'
      THEN 'WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05)' ELSE '' END;
    FOR i IN 0..ahead LOOP
      day := today + i;
      made := made + create_partition(parent, 'day', parent || '_' || to_char(day, 'YYYYMMDD'), day::text, (day + 1)::text,
        options)::int;
    END LOOP;
  END LOOP;
  RETURN made;
END $$;
