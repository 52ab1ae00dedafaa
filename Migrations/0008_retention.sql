-- Dropping partitions that are past their retention (14-storage, section 9).

CREATE FUNCTION drop_partitions(parent text, cutoff timestamptz) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
  dropped int := 0; name text; upper_bound text;
BEGIN
  PERFORM pg_advisory_xact_lock(731058403);
  FOR name, upper_bound IN
    SELECT c.relname, substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = format('sb.%I', parent)::regclass
  LOOP
    -- The default partition has no bound.
    IF upper_bound IS NOT NULL AND upper_bound::timestamptz <= cutoff THEN
      EXECUTE format('DROP TABLE sb.%I', name);
      dropped := dropped + 1;
    END IF;
  END LOOP;
  RETURN dropped;
END $$;
