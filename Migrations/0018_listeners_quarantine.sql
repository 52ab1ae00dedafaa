-- Every commit with events asks for the webhooks of its devices that listen, or that were switched off for failing and keep
-- their events for a replay: the index held the active ones only, so that each commit read the whole table.

DROP INDEX webhooks_device;
CREATE INDEX webhooks_listening ON webhooks (did) WHERE active OR disabled_reason IN ('failing', 'gone');

-- A prekey that cannot be opened is put aside like the other records.

ALTER TABLE signal_quarantine DROP CONSTRAINT signal_quarantine_kind_check,
  ADD CONSTRAINT signal_quarantine_kind_check CHECK (kind IN ('session', 'archive', 'sender_key', 'prekey'));
