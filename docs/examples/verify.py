#!/usr/bin/env python3
"""Verifies one webhook. Usage: verify.py SECRET ID TIMESTAMP SIGNATURE < body"""
import base64
import hashlib
import hmac
import sys
import time


def is_genuine(secret: str, webhook_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    digest = hmac.new(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    return any(hmac.compare_digest(expected.encode(), given.encode()) for given in signatures.split())


if __name__ == "__main__":
    genuine = is_genuine(*sys.argv[1:5], sys.stdin.buffer.read())
    print("genuine" if genuine else "forged")
    sys.exit(0 if genuine else 1)
