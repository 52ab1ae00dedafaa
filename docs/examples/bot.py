#!/usr/bin/env python3
"""A bot that repeats what it is told. Usage: SWITCHBOARD=http://… TOKEN=… bot.py PORT

Has a webhook at http://127.0.0.1:PORT/hook for the device of TOKEN, verifies every delivery and answers texts.
"""
import collections
import http.server
import json
import os
import queue
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from receiver import is_genuine

seen = collections.OrderedDict()
work: queue.Queue = queue.Queue()


def call(method: str, path: str, body: dict | None = None, **headers: str) -> dict:
    """Calls the gateway as the device; raises on every status but 2xx."""
    request = urllib.request.Request(
        os.environ["SWITCHBOARD"] + path, None if body is None else json.dumps(body).encode(), method=method,
        headers={"Authorization": "Bearer " + os.environ["TOKEN"], "Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


def secret_of_hook(url: str) -> str:
    """The signing secret of this bot's webhook: the one of an earlier start, or a new one."""
    for hook in call("GET", "/webhooks?reveal=true")["webhooks"]:
        if hook["url"] == url:
            # The gateway switches off what fails for days.
            call("PATCH", f"/webhooks/{hook['id']}", {"active": True})
            return hook["Secret"]
    return call("POST", "/webhooks", {"url": url, "events": ["message.received"]})["secret"]


def say(chat: str, text: str, key: str) -> bool:
    """Sends a text; False when the same may go through later. The key keeps a repetition from being a second message."""
    try:
        call("POST", f"/chats/{urllib.parse.quote(chat)}/messages", {"text": text}, **{"Idempotency-Key": key})
    except urllib.error.HTTPError as error:
        print("not sent:", error.code, error.read().decode(errors="replace"), flush=True)
        return error.code not in (409, 429, 503)
    except OSError as error:
        print("not sent:", error, flush=True)
        return False
    return True


def answer_texts() -> None:
    while True:
        event = work.get()
        message = event["data"]
        if event["event_id"] in seen or message["is_from_me"] or message["type"] != "text":
            continue
        while not say(message["chat"], "You said: " + message["text"], event["event_id"]):
            time.sleep(5)
        seen[event["event_id"]] = True
        if len(seen) > 10_000:
            seen.popitem(last=False)
        print("answered", message["from"], flush=True)


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        genuine = is_genuine(secret, self.headers, body)
        self.send_response(204 if genuine else 401)
        self.end_headers()
        if genuine:
            work.put(json.loads(body))

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(sys.argv[1])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Hook)
    secret = secret_of_hook(f"http://127.0.0.1:{port}/hook")
    threading.Thread(target=answer_texts, daemon=True).start()
    print("listening", flush=True)
    server.serve_forever()
