"""The real platform for the dashboard's end-to-end tests, and what breaks and mends it.

`python -m tests.dashboard.stage PORT` is `rosetta up` without its sample pipeline, in a folder of its own, on free
ports. The tests, which run in Node, steer it over HTTP: GET /health, /facts and /heard, POST /sql, /target, /backend.
It is the webhook that alerts go to, too, and a Slack that takes none. It ends, with everything it started, on SIGTERM
or SIGINT.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections import deque
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg2

from rosetta.local.access import create_sign_in_link
from rosetta.local.demo.source import SOURCE
from rosetta.local.home import Home
from rosetta.local.stack import Stack, running_stack
from rosetta.local.supervisor import StopRequested, request_stop, stop_signals

LOOK_SECONDS = 0.2
KEPT_ALERTS = 1000


class Stage:
    """Commands come from the server's threads; processes are looked after by the main thread alone."""

    def __init__(self, stack: Stack, superuser_password: str) -> None:
        self._stack = stack
        self._password = superuser_password
        self._backend_wanted = threading.Event()
        self._backend_wanted.set()
        self._heard: deque[str] = deque(maxlen=KEPT_ALERTS)

    def look_after(self) -> None:
        """Until a signal ends it: restarts what ended, the backend only while it is wanted."""
        while True:
            if self._backend_wanted.is_set():
                self._stack.watch()
            threading.Event().wait(LOOK_SECONDS)

    def facts(self, _: dict[str, Any]) -> dict[str, Any]:
        """Where everything is, with a fresh sign-in token."""
        addresses = self._stack.addresses
        databases = {SOURCE: addresses.source, **addresses.targets}
        return {
            "backend": addresses.backend,
            "token": create_sign_in_link(addresses.config),
            "api_token": addresses.secrets.api_token,
            "databases": {name: url.partition("?")[0] for name, url in databases.items()},
        }

    def sql(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Runs `text` in `database` (a name of `facts`, or config) as superuser; answers with the last rows."""
        with closing(self._connect(asked["database"])) as session, session.cursor() as cursor:
            cursor.execute(asked["text"])
            return {"rows": cursor.fetchall() if cursor.description else []}

    def target(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Has a target refuse every connection, or take them again."""
        name, up = asked["database"], bool(asked["up"])
        with closing(self._connect("postgres", "target database")) as session, session.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {str(up).lower()}")
            if not up:
                cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        return {}

    def backend(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Kills the backend, or lets it be started again."""
        if asked["up"]:
            self._backend_wanted.set()
        else:
            self._backend_wanted.clear()
            pid = self._stack.supervisor.pid("backend")
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
        return {}

    def hear(self, alert: dict[str, Any]) -> dict[str, Any]:
        """Takes what the backend sends to the webhook."""
        self._heard.append(alert["title"])
        return {}

    def heard(self, _: dict[str, Any]) -> dict[str, Any]:
        """The titles of what the webhook was told, the oldest first."""
        return {"titles": list(self._heard)}

    def _connect(self, database: str, server: str | None = None) -> psycopg2.extensions.connection:
        servers = {SOURCE: "source database", "crm": "source database", "rosetta": "config database"}
        port = self._stack.addresses.ports[server or servers.get(database, "target database")]
        session = psycopg2.connect(
            host="127.0.0.1", port=port, dbname=database, user="postgres", password=self._password, sslmode="disable"
        )
        session.autocommit = True
        return session


def serve(stage: Stage, port: int) -> ThreadingHTTPServer:
    """Answers commands, until it is shut down."""
    commands = {
        "/health": lambda _: {},
        "/facts": stage.facts,
        "/sql": stage.sql,
        "/target": stage.target,
        "/backend": stage.backend,
        "/alerts": stage.hear,
        "/heard": stage.heard,
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
            pass

        def _answer(self, asked: dict[str, Any]) -> None:
            try:
                status, answer = 200, commands[self.path](asked)
            except (KeyError, psycopg2.Error) as error:
                status, answer = 500, {"error": repr(error)}
            body = json.dumps(answer, default=str).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """The port to listen on is the first argument."""
    port = int(sys.argv[1])
    here = f"http://127.0.0.1:{port}"
    os.environ.update({"ALERT_INTERVAL_SECONDS": "2", "WAL_MONITOR_INTERVAL_SECONDS": "10"})
    os.environ.update({"ALERT_WEBHOOK_URL": f"{here}/alerts", "ALERT_WEBHOOK_SECRET": "known-to-nobody"})
    os.environ.update({"ALERT_SLACK_URL": f"{here}/no-such-hook"})
    folder = Path(tempfile.mkdtemp(prefix="rosetta-dashboard-"))
    folder.chmod(0o755)
    home = Home(folder / "home")
    try:
        with stop_signals(request_stop), running_stack(home, say) as stack:
            stage = Stage(stack, home.secrets().superuser_password)
            server = serve(stage, port)
            say(f"stage on port {port}")
            try:
                stage.look_after()
            finally:
                server.shutdown()
    except StopRequested:
        pass
    finally:
        if home.clusters.is_symlink():
            shutil.rmtree(home.clusters.readlink(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
