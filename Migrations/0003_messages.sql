-- Contacts, chats, messages and what hangs on them. 14-storage, section 3.4.

CREATE TABLE contacts (
  tenant_id bigint NOT NULL, did bigint NOT NULL, jid text NOT NULL,
  first_name text NOT NULL DEFAULT '', full_name text NOT NULL DEFAULT '', push_name text NOT NULL DEFAULT '', business_name text NOT NULL DEFAULT '',
  username text NOT NULL DEFAULT '', redacted_phone text NOT NULL DEFAULT '', saved boolean NOT NULL DEFAULT false, updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (did, jid), FOREIGN KEY (tenant_id, did) REFERENCES devices (tenant_id, did) ON DELETE CASCADE);

CREATE TABLE chats (
  tenant_id bigint NOT NULL, did bigint NOT NULL, chat text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('user','group','newsletter','status','broadcast','bot')), name text NOT NULL DEFAULT '',
  muted_until timestamptz, pinned_at timestamptz, archived boolean NOT NULL DEFAULT false, marked_unread boolean NOT NULL DEFAULT false,
  unread_count int NOT NULL DEFAULT 0, ephemeral_seconds int NOT NULL DEFAULT 0, ephemeral_set_at timestamptz,
  last_message_id text, last_message_at timestamptz, history_end boolean NOT NULL DEFAULT false, updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (did, chat), FOREIGN KEY (tenant_id, did) REFERENCES devices (tenant_id, did) ON DELETE CASCADE);
CREATE INDEX chats_recent ON chats (did, last_message_at DESC NULLS LAST);

CREATE TABLE messages (
  tenant_id bigint NOT NULL, did bigint NOT NULL, chat text NOT NULL, message_id text NOT NULL, from_me boolean NOT NULL,
  ts timestamptz NOT NULL,                    -- server time of the message, whole seconds
  sender text NOT NULL, sender_alt text, push_name text, server_id bigint,
  type text NOT NULL, body text, content bytea,               -- content: protobuf of the message, NULL in meta mode
  media jsonb, quoted_id text, edited_at timestamptz, deleted_at timestamptz, starred boolean NOT NULL DEFAULT false,
  status smallint NOT NULL DEFAULT 0,         -- 0 pending 1 sent 2 delivered 3 read 4 played 9 failed
  origin smallint NOT NULL DEFAULT 0,         -- 0 live 1 history 2 api
  stored_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (did, chat, message_id, from_me, ts),
  FOREIGN KEY (tenant_id, did) REFERENCES devices (tenant_id, did) ON DELETE CASCADE) PARTITION BY RANGE (ts);
CREATE INDEX messages_page ON messages (did, chat, ts DESC, message_id DESC);
CREATE INDEX messages_by_id ON messages (did, message_id);
CREATE TABLE messages_default PARTITION OF messages DEFAULT;   -- monthly partitions messages_YYYYMM are made two months ahead

CREATE TABLE message_receipts (               -- per recipient, groups and own sends only
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, chat text NOT NULL, message_id text NOT NULL, recipient text NOT NULL,
  delivered_at timestamptz, read_at timestamptz, played_at timestamptz, PRIMARY KEY (did, message_id, chat, recipient));

CREATE TABLE message_reactions (
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, chat text NOT NULL, message_id text NOT NULL, reactor text NOT NULL,
  emoji text NOT NULL, ts timestamptz NOT NULL, PRIMARY KEY (did, message_id, chat, reactor));

CREATE TABLE polls (
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, chat text NOT NULL, poll_id text NOT NULL, creator text NOT NULL, from_me boolean NOT NULL,
  question text NOT NULL, options text[] NOT NULL, selectable int NOT NULL, created_at timestamptz NOT NULL, PRIMARY KEY (did, poll_id, chat));
CREATE TABLE poll_votes (                     -- newest vote per voter wins
  did bigint NOT NULL, chat text NOT NULL, poll_id text NOT NULL, voter text NOT NULL, option_hashes bytea[] NOT NULL, ts timestamptz NOT NULL,
  PRIMARY KEY (did, poll_id, chat, voter), FOREIGN KEY (did, poll_id, chat) REFERENCES polls ON DELETE CASCADE);

CREATE TABLE group_cache (
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, group_jid text NOT NULL, info jsonb NOT NULL, fetched_at timestamptz NOT NULL, PRIMARY KEY (did, group_jid));

CREATE TABLE media_objects (                  -- downloaded media, files outside the database
  did bigint NOT NULL REFERENCES devices ON DELETE CASCADE, message_id text NOT NULL, chat text NOT NULL, sha256 bytea NOT NULL, size bigint NOT NULL, mime text NOT NULL, path text NOT NULL,
  public_path text UNIQUE, expires_at timestamptz,            -- 12 section 15.2
  created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (did, message_id, chat));
