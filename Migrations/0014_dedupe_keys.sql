-- Storing an event looked up and locked its device's row for this reference. The fence of the commit has done so already,
-- for all events of a batch at once; whoever deletes a device deletes its keys.

ALTER TABLE webhook_dedupe DROP CONSTRAINT webhook_dedupe_did_fkey;
