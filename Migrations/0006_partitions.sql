-- Partitions by time (14-storage, section 9). create_partitions() is called at start and by the daily job; it is safe to
-- call at any time and from several nodes at once.

CREATE FUNCTION create_partition(parent text, key text, name text, low text, high text, options text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass(format('sb.%I', name)) IS NOT NULL THEN RETURN false; END IF;
  -- Rows of the new range may have landed in the default partition: they move over in the same transaction.
  EXECUTE format('CREATE TABLE sb.%I (LIKE sb.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING IDENTITY) %s',
                 name, parent, options);
  EXECUTE format('WITH moved AS (DELETE FROM sb.%I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO sb.%I OVERRIDING SYSTEM VALUE SELECT * FROM moved',
                 parent || '_default', key, low, key, high, name);
  -- A partition takes its values from the parent's identity; its own must go first.
  IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = format('sb.%I', name)::regclass AND attname = 'id' AND attidentity <> '') THEN
    EXECUTE format('ALTER TABLE sb.%I ALTER COLUMN id DROP IDENTITY', name);
  END IF;
  EXECUTE format('ALTER TABLE sb.%I ATTACH PARTITION sb.%I FOR VALUES FROM (%L) TO (%L)', parent, name, low, high);
  RETURN true;
END $$;

CREATE FUNCTION create_partitions(ahead int DEFAULT 2) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
  made int := 0; month date; day date; parent text; today date := (now() AT TIME ZONE 'UTC')::date;
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
    FOR i IN 0..ahead LOOP
      day := today + i;
      made := made + create_partition(parent, 'day', parent || '_' || to_char(day, 'YYYYMMDD'), day::text, (day + 1)::text, '')::int;
    END LOOP;
  END LOOP;
  RETURN made;
END $$;

SELECT create_partitions();
