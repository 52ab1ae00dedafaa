#!/usr/bin/env python3
"""A webhook receiver that verifies what it gets. Usage: receiver.py PORT SECRET

Prints one line per delivery. Needs nothing but Python: the signature is Standard Webhooks (https://www.standardwebhooks.com).
"""
import base64
import hashlib
import hmac
import http.server
import json
import sys
import time


def is_genuine(secret: str, headers, body: bytes) -> bool:
    """True when one of the signatures in `webhook-signature` was made with `secret` over exactly these bytes."""
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    signed = f"{headers['webhook-id']}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(expected, given) for given in headers.get("webhook-signature", "").split())


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        genuine = is_genuine(sys.argv[2], self.headers, body)
        self.send_response(204 if genuine else 401)
        self.end_headers()
        if genuine:
            event = json.loads(body)
            print(f"signature ok  {event['event_type']}  {json.dumps(event['data'], ensure_ascii=False)}", flush=True)
        else:
            print("SIGNATURE WRONG", flush=True)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
