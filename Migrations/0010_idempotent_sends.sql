-- What a request with an Idempotency-Key became, so that its answer can be given after the process that sent it died.

ALTER TABLE idempotency_keys
  ADD COLUMN chat text, ADD COLUMN message_id text,                -- the message, from its intent on
  ADD COLUMN sent_at timestamptz, ADD COLUMN server_id bigint,     -- its fate when nobody was there to render the answer:
  ADD COLUMN failure text, ADD COLUMN failure_code int;            -- acknowledged then, or failed so
CREATE INDEX idempotency_message ON idempotency_keys (did, message_id) WHERE message_id IS NOT NULL;
