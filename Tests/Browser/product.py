"""What the browser test stands on: a `switchboard dev` of its own and a webhook receiver."""
import http.server
import json
import os
import signal
import subprocess
import tempfile
import threading
import urllib.request


class Product:
    """Starts `switchboard dev` with free ports and an empty data directory; stops it at the end of a `with`."""

    def __init__(self, executable: str):
        self._executable = executable
        self._directory = tempfile.TemporaryDirectory(prefix="switchboard-browser.")

    def __enter__(self):
        os.chmod(self._directory.name, 0o755)
        self._log = open(os.path.join(self._directory.name, "log"), "w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [self._executable, "dev", "--data-dir", self._directory.name, "--port", "0", "--sandbox-port", "0", "--json"],
            # So that the step of a passkey at which codes are compared is seen too.
            env={**os.environ, "WHATSAPP_PASSKEY_COMPARE": "true"}, stdout=subprocess.PIPE, stderr=self._log, text=True)
        watchdog = threading.Timer(90, self._process.kill)
        watchdog.start()
        line = self._process.stdout.readline()
        watchdog.cancel()
        if not line:
            raise RuntimeError("switchboard dev did not start:\n" + self.log()[-3000:])
        ready = json.loads(line)
        self.base, self.admin = ready["api"], ready["admin_secret"]
        return self

    def call(self, path, body, header, secret, method=None):
        """Posts to the API, or reads with None, and gives the data of the answer."""
        posted = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, posted, {"Content-Type": "application/json", header: secret}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["data"]

    def log(self) -> str:
        self._log.flush()
        self._log.seek(0)
        return self._log.read()

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()
        self._directory.cleanup()


class Receiver:
    """Answers every webhook with 204 and keeps the events."""

    def __enter__(self):
        events = self.events = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                events.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
