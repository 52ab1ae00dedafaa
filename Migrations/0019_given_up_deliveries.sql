-- Deliveries that were given up, by event: what decides whether a body is still wanted. Few rows are in that state, and none
-- when it is stored, so that storing and delivering pay nothing for it.

CREATE INDEX webhook_deliveries_given_up ON webhook_deliveries (event_id) WHERE state IN ('dead', 'failed');
