-- Credentials, Signal state, app-state keys and what else a session keeps. 14-storage, section 3.3.

CREATE TABLE wa_credentials (                 -- one row per paired (or pairing) device; *_enc = envelope encrypted
  did bigint PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
  registration_id bigint NOT NULL CHECK (registration_id BETWEEN 0 AND 4294967295),
  noise_key_enc bytea NOT NULL, identity_key_enc bytea NOT NULL, identity_pub bytea NOT NULL CHECK (octet_length(identity_pub) = 32),
  signed_prekey_id int NOT NULL CHECK (signed_prekey_id BETWEEN 0 AND 16777215), signed_prekey_enc bytea NOT NULL,
  signed_prekey_sig bytea NOT NULL CHECK (octet_length(signed_prekey_sig) = 64), signed_prekey_at timestamptz NOT NULL DEFAULT now(),
  prev_signed_prekey_id int CHECK (prev_signed_prekey_id BETWEEN 0 AND 16777215), prev_signed_prekey_enc bytea,    -- kept for pkmsgs in flight: 02, section 15.6
  prev_signed_prekey_sig bytea CHECK (octet_length(prev_signed_prekey_sig) = 64), prev_signed_prekey_at timestamptz,
  adv_secret_enc bytea NOT NULL,
  adv_details bytea, adv_account_sig bytea CHECK (octet_length(adv_account_sig) = 64),
  adv_account_sig_key bytea CHECK (octet_length(adv_account_sig_key) = 32), adv_device_sig bytea CHECK (octet_length(adv_device_sig) = 64),
  jid text, lid text, next_prekey_id int NOT NULL DEFAULT 1,
  lid_migration_ts bigint NOT NULL DEFAULT 0, companion_meta_nonce text NOT NULL DEFAULT '', nct_salt bytea,
  server_static bytea, routing_info bytea, paired_at timestamptz);

CREATE TABLE signal_identities (
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, address text COLLATE "C" NOT NULL,      -- "user:device" form of the signal address
  identity bytea NOT NULL CHECK (octet_length(identity) = 32), changed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (did, address)) PARTITION BY HASH (did);

CREATE TABLE signal_sessions (                -- current state only; rev: 16 section 1.6
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, address text COLLATE "C" NOT NULL,
  rev bigint NOT NULL DEFAULT 0, record bytea NOT NULL, updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (did, address)) PARTITION BY HASH (did);

CREATE TABLE signal_session_archive (         -- archived states, at most 40 per address (03 sections 6.2, 8)
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, address text COLLATE "C" NOT NULL, base_key bytea NOT NULL,
  rev bigint NOT NULL DEFAULT 0, record bytea NOT NULL, archived_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (did, address, base_key)) PARTITION BY HASH (did);

CREATE TABLE signal_sender_keys (
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, group_id text COLLATE "C" NOT NULL, sender text COLLATE "C" NOT NULL,
  rev bigint NOT NULL DEFAULT 0, record bytea NOT NULL, updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (did, group_id, sender)) PARTITION BY HASH (did);

CREATE TABLE signal_sender_key_shared (       -- optional: to whom our sender key of a group went
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, group_id text COLLATE "C" NOT NULL, address text COLLATE "C" NOT NULL, key_id bigint NOT NULL,
  PRIMARY KEY (did, group_id, address)) PARTITION BY HASH (did);

DO $$ DECLARE t text; i int; BEGIN
  FOREACH t IN ARRAY ARRAY['signal_identities','signal_sessions','signal_session_archive','signal_sender_keys','signal_sender_key_shared'] LOOP
    FOR i IN 0..15 LOOP
      EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS 16, REMAINDER %s) WITH (fillfactor = 70)', t||'_'||i, t, i);
    END LOOP;
  END LOOP; END $$;

CREATE TABLE signal_prekeys (
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, key_id int NOT NULL CHECK (key_id BETWEEN 1 AND 16777215),
  key_enc bytea NOT NULL, uploaded boolean NOT NULL DEFAULT false, created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (did, key_id));
CREATE INDEX signal_prekeys_new ON signal_prekeys (did, key_id) WHERE NOT uploaded;

CREATE TABLE app_state_keys (
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, key_id bytea NOT NULL, key_data bytea NOT NULL,
  fingerprint bytea NOT NULL, key_ts bigint NOT NULL, PRIMARY KEY (did, key_id));
CREATE TABLE app_state_versions (
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, name text NOT NULL CHECK (name IN ('critical_block','critical_unblock_low','regular_low','regular_high','regular')),
  version bigint NOT NULL, hash bytea NOT NULL CHECK (octet_length(hash) = 128), synced_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (did, name));
CREATE TABLE app_state_macs (                 -- newest value MAC per index MAC
  did bigint NOT NULL, name text NOT NULL, index_mac bytea NOT NULL CHECK (octet_length(index_mac) = 32),
  value_mac bytea NOT NULL CHECK (octet_length(value_mac) = 32), version bigint NOT NULL,
  PRIMARY KEY (did, name, index_mac), FOREIGN KEY (did, name) REFERENCES app_state_versions ON DELETE CASCADE);

CREATE TABLE lid_map (                        -- per device on purpose: see 4.3
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, lid text NOT NULL, pn text NOT NULL, learned_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (did, lid));
CREATE INDEX lid_map_pn ON lid_map (did, pn);

CREATE TABLE user_devices (                   -- device list cache (02 section 17.1, 04 section 4.2)
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, user_id text NOT NULL, devices int[] NOT NULL, hosted int[] NOT NULL DEFAULT '{}', hash text, raw_id bigint, key_index int, ts bigint, fetched_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (did, user_id));

CREATE TABLE privacy_tokens (
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, user_id text NOT NULL, token bytea NOT NULL, ts bigint NOT NULL, sender_ts bigint, PRIMARY KEY (did, user_id));

CREATE TABLE message_secrets (                -- polls, edits, comments, reactions, bots
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, chat text NOT NULL, sender text NOT NULL, message_id text NOT NULL,
  secret bytea NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (did, chat, sender, message_id));
CREATE INDEX message_secrets_age ON message_secrets (created_at);

CREATE TABLE inbound_buffer (                 -- decrypted once: survives a crash between ratchet step and handling
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, ciphertext_hash bytea NOT NULL CHECK (octet_length(ciphertext_hash) = 32),
  plaintext bytea, server_ts bigint NOT NULL, inserted_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (did, ciphertext_hash));
CREATE INDEX inbound_buffer_age ON inbound_buffer (inserted_at);

CREATE TABLE retry_buffer (                   -- own sends: kept for retry receipts, and the intent of a send until its ack
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, chat text NOT NULL, message_id text NOT NULL, format text NOT NULL,
  plaintext bytea NOT NULL, send_by timestamptz,        -- NULL once acked, failed or expired: section 6
  inserted_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (did, chat, message_id));
CREATE INDEX retry_buffer_age ON retry_buffer (inserted_at);
CREATE INDEX retry_buffer_unsent ON retry_buffer (did, inserted_at) WHERE send_by IS NOT NULL;

CREATE TABLE signal_quarantine (              -- records that could not be decoded: kept a week for whoever looks into it, 16 section 1.8
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, kind text NOT NULL CHECK (kind IN ('session','archive','sender_key')),
  name text NOT NULL, record bytea NOT NULL, reason text NOT NULL DEFAULT '', at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (did, kind, name));
CREATE INDEX signal_quarantine_age ON signal_quarantine (at);

CREATE TABLE device_jobs (                    -- work a stanza asked for, done outside the lane: 16 section 2.1
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, kind text NOT NULL, key text NOT NULL,
  payload bytea NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (did, kind, key));
