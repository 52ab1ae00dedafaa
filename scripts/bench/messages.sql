-- Fills the store up to a million messages of the last month, over all devices and a hundred chats of each.
-- For `switchboard bench load cost --sql scripts/bench/messages.sql`.
SET search_path = sb;
INSERT INTO messages (tenant_id, did, chat, message_id, from_me, ts, sender, type, body, content, status)
SELECT d.tenant_id, d.did, '1777' || (1000000 + n % 100) || '@s.whatsapp.net',
  'FILL' || lpad(to_hex(n), 16, '0'), n % 2 = 0, date_trunc('second', now() - n % 2500000 * interval '1 second'),
  '1777' || (1000000 + n % 100) || '@s.whatsapp.net', 'text', 'stored message number ' || n,
  decode(repeat('0a', 60), 'hex'), 2
FROM generate_series(1, greatest(0, 1000000 - (SELECT count(*) FROM messages))) AS n
JOIN (SELECT tenant_id, did, row_number() OVER (ORDER BY did) - 1 AS place, count(*) OVER () AS total FROM devices) AS d
  ON d.place = n % d.total
ON CONFLICT DO NOTHING;
ANALYZE messages;
