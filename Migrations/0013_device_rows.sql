-- What a device asks runs as sb_app and sees that device's rows and no other's, also within its tenant; what a tenant asks
-- (no device named) sees the tenant's. Requests about webhooks run so, too: an attempt is seen by whoever sees its delivery,
-- a count by whoever sees its webhook.

DO $$
DECLARE t text;
BEGIN
  IF (SELECT value FROM settings WHERE key = 'row_level_security') IS DISTINCT FROM 'true' THEN RETURN; END IF;
  FOREACH t IN ARRAY ARRAY['devices', 'contacts', 'chats', 'messages', 'webhooks', 'webhook_events',
      'webhook_deliveries'] LOOP
    EXECUTE format($p$CREATE POLICY device_rows ON %I AS RESTRICTIVE FOR ALL TO sb_app
      USING (did = coalesce(nullif(current_setting('sb.did', true), '')::bigint, did))
      WITH CHECK (did = coalesce(nullif(current_setting('sb.did', true), '')::bigint, did))$p$, t);
  END LOOP;
  ALTER TABLE webhook_attempts ENABLE ROW LEVEL SECURITY;
  ALTER TABLE webhook_attempts FORCE ROW LEVEL SECURITY;
  CREATE POLICY seen_deliveries ON webhook_attempts FOR ALL TO sb_app
    USING (EXISTS (SELECT FROM webhook_deliveries d WHERE d.id = delivery_id AND d.day = webhook_attempts.day))
    WITH CHECK (EXISTS (SELECT FROM webhook_deliveries d WHERE d.id = delivery_id AND d.day = webhook_attempts.day));
  CREATE POLICY system_rows ON webhook_attempts FOR ALL TO sb_system USING (true) WITH CHECK (true);
  REVOKE ALL ON webhook_attempts FROM sb_engine;
  CREATE POLICY seen_webhooks ON webhook_hourly AS RESTRICTIVE FOR ALL TO sb_app
    USING (EXISTS (SELECT FROM webhooks w WHERE w.id = webhook_id));
END $$;
