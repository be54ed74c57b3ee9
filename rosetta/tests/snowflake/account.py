"""A Snowflake account as far as signing in and looking around goes, for the real connector to talk to.

It checks what Snowflake checks: the token's signature against the user's public keys, who it names, and its age; then
the role. It knows no SQL but the questions that the backend asks.
"""

from __future__ import annotations

import gzip
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

from rosetta.dialects.snowflake.keys import SigningKey
from rosetta.dialects.snowflake.sign_in import account_name
from rosetta.tests.serving import served

Answer = list[tuple[Any, ...]]


class RefusedError(Exception):
    """An answer with `success: false`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass
class Account:
    """What is in the account; may be changed between requests.

    Attributes:
        keys: public keys of the one user, in its two slots.
        ahead_seconds: how far its clock is ahead of ours.
        grants: per role rows of SHOW GRANTS from `privilege` on.
        columns: rows of SHOW COLUMNS.
        credits: rows of the metering view; None: the role may not read it.
        statements: what was asked.
        certificate: file of a key and a certificate for localhost; None: in the clear.
        redirected_to: where everybody is sent instead of being answered.
        logins: how often somebody tried to sign in.
    """

    name: str
    user: str
    keys: list[SigningKey]
    roles: set[str] = field(default_factory=lambda: {"LOADER"})
    warehouses: set[str] = field(default_factory=lambda: {"LOADING"})
    databases: set[str] = field(default_factory=lambda: {"LANDING"})
    schemas: set[str] = field(default_factory=lambda: {"PUBLIC"})
    disabled: bool = False
    ahead_seconds: float = 0.0
    grants: dict[str, Answer] = field(default_factory=dict)
    columns: Answer = field(default_factory=list)
    credits: Answer | None = None
    statements: list[str] = field(default_factory=list)
    port: int = 0
    certificate: Path | None = None
    redirected_to: str | None = None
    logins: int = 0
    _session: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self.port}" if self.certificate is None else f"localhost:{self.port}"

    @property
    def now(self) -> float:
        return time.time() + self.ahead_seconds

    def answer(self, path: str, query: dict[str, str], body: dict[str, Any]) -> Any:
        """The `data` of an answer. Raises RefusedError."""
        if path == "/session/v1/login-request":
            self.logins += 1
            return self._login(query, body["data"])
        if path == "/queries/v1/query-request":
            self.statements.append(body["sqlText"])
            return _result(self._asked(body["sqlText"]))
        return None

    def _login(self, query: dict[str, str], data: dict[str, Any]) -> Any:
        invalid = RefusedError("390144", "JWT token is invalid. [0ce9eb56]")
        try:
            claims = jwt.decode(data["TOKEN"], options={"verify_signature": False})
            key = next(key for key in self.keys if claims["iss"].endswith(f".{key.fingerprint}"))
            jwt.decode(
                data["TOKEN"],
                key.private.public_key(),
                algorithms=["RS256"],
                options={"verify_iat": False, "verify_exp": False},
            )
        except (jwt.PyJWTError, StopIteration, KeyError):
            raise invalid from None
        subject = f"{account_name(self.name)}.{self.user.upper()}"
        if claims["sub"] != subject or not claims["iat"] - 60 <= self.now <= claims["iat"] + 60:
            raise invalid
        if self.disabled:
            raise RefusedError("390101", "User access disabled. Contact your local system administrator.")
        role = query.get("roleName", "LOADER").upper()
        if role not in self.roles:
            raise RefusedError("390189", f"Role '{role}' specified in the connect string is not granted to this user.")
        self._session = {"role": role, **{key: query.get(key, "").upper() for key in ("warehouse", "databaseName")}}
        self._session["schemaName"] = query.get("schemaName", "").upper()
        return {
            "token": "session",
            "masterToken": "master",
            "validityInSeconds": 3600,
            "masterValidityInSeconds": 14400,
            "displayUserName": self.user,
            "serverVersion": "9.30.1",
            "firstLogin": False,
            "healthCheckInterval": 45,
            "sessionId": 1,
            "parameters": [],
            "sessionInfo": {"databaseName": None, "schemaName": None, "warehouseName": None, "roleName": role},
        }

    def _asked(self, sql: str) -> Answer:
        if sql.startswith("SELECT CURRENT_VERSION()"):
            there = (
                (self._session["warehouse"], self.warehouses),
                (self._session["databaseName"], self.databases),
                (self._session["schemaName"], self.schemas),
            )
            found = tuple(name if name in known else None for name, known in there)
            return [("9.30.1", self.user.upper(), self._session["role"], *found)]
        if sql.startswith("SHOW GRANTS TO ROLE"):
            return [("2026-01-01", *row) for row in self.grants.get(sql.split('"')[1], [])]
        if sql.startswith("SHOW COLUMNS IN SCHEMA"):
            return self.columns
        if "WAREHOUSE_METERING_HISTORY" in sql:
            if self.credits is None:
                raise RefusedError("002003", "SQL compilation error: Schema 'canary' does not exist or not authorized.")
            return self.credits
        return []


def _result(rows: Answer) -> dict[str, Any]:
    width = len(rows[0]) if rows else 1
    column = {"type": "text", "nullable": True, "length": 100, "byteLength": 400, "precision": None, "scale": None}
    place = {"database": "", "schema": "", "table": ""}
    return {
        "parameters": [],
        "rowtype": [{"name": f"C{number}", **column, **place} for number in range(width)],
        "rowset": [[None if value is None else str(value) for value in row] for row in rows],
        "total": len(rows),
        "returned": len(rows),
        "queryId": "01b00000-0000-0000-0000-000000000001",
        "statementTypeId": 4096,
        "version": 1,
        "numberOfBinds": 0,
        "arrayBindSupported": False,
        "queryResultFormat": "json",
    }


def _handler(account: Account) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Tests say what they need."""

        def date_time_string(self, _: float | None = None) -> str:
            return formatdate(account.now, usegmt=True)

        def do_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if account.redirected_to is not None:
                self.send_response(307)
                self.send_header("Location", account.redirected_to + self.path)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            try:
                data, code, message = account.answer(url.path, query, json.loads(body or b"{}")), None, None
            except RefusedError as refused:
                data, code, message = {"nextAction": "RETRY_LOGIN"}, refused.code, refused.message
            said = {"data": data, "code": code, "message": message, "success": code is None}
            text = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

    for method in ("GET", "HEAD", "POST"):
        setattr(Handler, f"do_{method}", Handler.do_any)
    return Handler


@contextmanager
def serving(account: Account) -> Iterator[Account]:
    """The account, answering at `account.host`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(account))
    if account.certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(account.certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    account.port = server.server_port
    with served(server):
        yield account
