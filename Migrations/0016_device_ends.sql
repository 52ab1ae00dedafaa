-- Why a device does not run, beside the word in held_reason: WhatsApp's number and text, or the version that it refused.
-- And the way to the devices that wait for the end of a ban or for a newer version. 12-device-scoping-api, section 6.2.

ALTER TABLE devices ADD COLUMN end_code integer, ADD COLUMN end_text text;
CREATE INDEX devices_held ON devices (did) WHERE desired = 'held';

DO $$
BEGIN
  IF (SELECT value FROM settings WHERE key = 'row_level_security') = 'true' THEN
    GRANT UPDATE (end_code, end_text) ON devices TO sb_commit;
  END IF;
END $$;
