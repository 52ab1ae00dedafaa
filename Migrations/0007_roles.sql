-- Roles and row-level security (14-storage, sections 3.7 and 5; 16-performance-durability, section 5.3).
--
-- sb_app serves tenants, sb_engine runs single-device transactions of sessions, sb_commit runs the group commit,
-- sb_system does administration, leases, outbox and jobs. Roles belong to the whole cluster and may exist already. A
-- login that may neither create them nor become them gets a schema without row-level security: the program then still
-- names tenant or device in every statement, and says so at start.

DO $$
DECLARE
  wanted text[] := ARRAY['sb_app', 'sb_engine', 'sb_commit', 'sb_system'];
  r text; t text; may_create boolean;
BEGIN
  SELECT rolsuper OR rolcreaterole INTO may_create FROM pg_roles WHERE rolname = current_user;
  FOREACH r IN ARRAY wanted LOOP
    IF may_create AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', r);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;   -- another database of the cluster was first
      END;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = r) AND NOT pg_has_role(current_user, r, 'MEMBER') THEN
      BEGIN
        EXECUTE format('GRANT %I TO current_user', r);
      EXCEPTION WHEN insufficient_privilege THEN NULL;
      END;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r AND pg_has_role(current_user, oid, 'MEMBER')) THEN
      RAISE WARNING 'role % is missing and cannot be created: continuing without row-level security', r;
      INSERT INTO settings (key, value) VALUES ('row_level_security', 'false');
      RETURN;
    END IF;
  END LOOP;
  INSERT INTO settings (key, value) VALUES ('row_level_security', 'true');

  GRANT USAGE ON SCHEMA sb TO sb_app, sb_engine, sb_commit, sb_system;
  GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sb TO sb_app, sb_engine, sb_system;
  GRANT USAGE ON ALL SEQUENCES IN SCHEMA sb TO sb_app, sb_system;
  REVOKE ALL ON schema_migrations, settings, nodes, wa_credentials, signal_identities, signal_sessions, signal_session_archive,
    signal_sender_keys, signal_sender_key_shared, signal_prekeys, app_state_keys, app_state_versions, app_state_macs,
    privacy_tokens, message_secrets, inbound_buffer, retry_buffer, signal_quarantine, device_jobs, commit_positions FROM sb_app;
  REVOKE ALL ON auth_changes, device_tombstones, schema_migrations FROM sb_app, sb_engine;

  -- Partitions are reached through their parents, whose policies hold; directly they would show every tenant's rows.
  FOR t IN SELECT format('%I', c.relname) FROM pg_class c WHERE c.relnamespace = 'sb'::regnamespace AND c.relispartition AND c.relkind = 'r' LOOP
    EXECUTE format('REVOKE ALL ON %s FROM sb_app, sb_engine, sb_system', t);
  END LOOP;

  -- What batches write. An upsert must be able to read what it compares and replaces.
  GRANT SELECT, INSERT, UPDATE, DELETE ON wa_credentials, signal_identities, signal_sessions, signal_session_archive,
    signal_sender_keys, signal_sender_key_shared, signal_prekeys, app_state_keys, app_state_versions, app_state_macs,
    lid_map, user_devices, privacy_tokens, message_secrets, inbound_buffer, retry_buffer, device_jobs, contacts, chats,
    messages, message_receipts, message_reactions, polls, poll_votes, group_cache, idempotency_keys, commit_positions TO sb_commit;
  GRANT SELECT, INSERT ON webhook_dedupe TO sb_commit;
  GRANT INSERT ON webhook_events, webhook_deliveries TO sb_commit;
  GRANT SELECT (id, did, tenant_id, active, events) ON webhooks TO sb_commit;
  GRANT SELECT ON devices, device_leases TO sb_commit;
  GRANT UPDATE (status, desired, held_reason, held_until, jid, lid, push_name, platform, business_name, event_seq,
    last_active_at, updated_at) ON devices TO sb_commit;
  GRANT UPDATE (live_state, live_error) ON device_leases TO sb_commit;

  FOREACH t IN ARRAY ARRAY['devices','contacts','chats','messages','webhooks','webhook_events','webhook_deliveries',
      'webhook_hourly','api_keys','tenant_usage','audit_log'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format($p$CREATE POLICY tenant_rows ON %I FOR ALL TO sb_app
      USING (tenant_id = nullif(current_setting('sb.tenant', true), '')::bigint)
      WITH CHECK (tenant_id = nullif(current_setting('sb.tenant', true), '')::bigint)$p$, t);
    EXECUTE format('CREATE POLICY system_rows ON %I FOR ALL TO sb_system USING (true) WITH CHECK (true)', t);
  END LOOP;
  FOREACH t IN ARRAY ARRAY['devices','contacts','chats','messages','webhooks','webhook_events','webhook_deliveries'] LOOP
    EXECUTE format($p$CREATE POLICY engine_rows ON %I FOR ALL TO sb_engine
      USING (did = nullif(current_setting('sb.did', true), '')::bigint)
      WITH CHECK (did = nullif(current_setting('sb.did', true), '')::bigint)$p$, t);
    EXECUTE format('CREATE POLICY commit_rows ON %I FOR ALL TO sb_commit USING (true) WITH CHECK (true)', t);
  END LOOP;
  FOREACH t IN ARRAY ARRAY['wa_credentials','signal_identities','signal_sessions','signal_session_archive','signal_sender_keys',
      'signal_sender_key_shared','signal_prekeys','app_state_keys','app_state_versions','app_state_macs','lid_map','user_devices',
      'privacy_tokens','message_secrets','inbound_buffer','retry_buffer','message_receipts','message_reactions','polls','poll_votes',
      'group_cache','media_objects','idempotency_keys','rate_buckets','webhook_dedupe','device_leases','signal_quarantine',
      'device_jobs'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format($p$CREATE POLICY engine_rows ON %I FOR ALL TO sb_engine, sb_app
      USING (did = nullif(current_setting('sb.did', true), '')::bigint)
      WITH CHECK (did = nullif(current_setting('sb.did', true), '')::bigint)$p$, t);
    EXECUTE format('CREATE POLICY system_rows ON %I FOR ALL TO sb_system USING (true) WITH CHECK (true)', t);
    EXECUTE format('CREATE POLICY commit_rows ON %I FOR ALL TO sb_commit USING (true) WITH CHECK (true)', t);
  END LOOP;
  ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
  ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant_self ON tenants FOR SELECT TO sb_app USING (id = nullif(current_setting('sb.tenant', true), '')::bigint);
  CREATE POLICY system_rows ON tenants FOR ALL TO sb_system USING (true) WITH CHECK (true);
END $$;
