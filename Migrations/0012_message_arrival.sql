-- Messages of one second keep the order in which they were stored: WhatsApp's times are whole seconds and its ids are
-- random. Rows of before have 0 and are ordered by their id, as they were. 14-storage, section 3.4.

CREATE SEQUENCE message_arrival;
ALTER TABLE messages ADD COLUMN arrival bigint NOT NULL DEFAULT 0;
ALTER TABLE messages ALTER COLUMN arrival SET DEFAULT nextval('sb.message_arrival');
DROP INDEX messages_page;
CREATE INDEX messages_page ON messages (did, chat, ts DESC, arrival DESC, message_id DESC);

DO $$
BEGIN
  IF (SELECT value FROM settings WHERE key = 'row_level_security') = 'true' THEN
    GRANT USAGE ON SEQUENCE message_arrival TO sb_app, sb_commit, sb_engine, sb_system;
  END IF;
END $$;
