"""A connection in PostgreSQL's frontend/backend protocol 3, up to the point where a stream begins.

libpq could make it, but its Python wrapper answers keepalives by itself, and tells the source that everything
is durable when nothing of ours is on the way: a slot must hear that from whoever wrote it, and from nobody else.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
from pathlib import Path
from struct import pack, unpack_from
from typing import Final

from compute.engine.pgoutput.scram import Scram
from rosetta.dialects.postgres import startup_options
from rosetta.errors import ConfigurationError
from rosetta.postgres import PostgresEndpoint

_CONNECT_SECONDS: Final = 10.0
_SILENCE_MILLIS: Final = 25_000  # what we sent was not received for so long: the source is gone
_PROTOCOL_3: Final = 196_608
_SSL_REQUEST: Final = 80_877_103
_OK, _CLEARTEXT, _MD5, _SASL, _SASL_CONTINUE, _SASL_FINAL = 0, 3, 5, 10, 11, 12
_ROOT: Final = Path("~/.postgresql/root.crt")


class WireError(Exception):
    """The source refused something, with its SQLSTATE, or is gone. Never quotes a row."""

    def __init__(self, message: str, state: str | None = None) -> None:
        super().__init__(message if state is None else f"{message} (SQLSTATE {state})")
        self.state = state


def server_error(body: bytes) -> WireError:
    """Of an ErrorResponse only the primary message is kept: details and contexts quote rows."""
    fields = {field[:1]: field[1:].decode(errors="replace") for field in body.split(b"\0") if field}
    state = fields.get(b"C", "XX000")
    message = fields.get(b"M", "an error without a message")
    return WireError("a value was refused" if state[:2] in {"22", "23"} else message, state)


class Wire:
    """A socket, in order and blocking, with a time limit. Raises WireError for whatever goes wrong on it."""

    def __init__(self, endpoint: PostgresEndpoint) -> None:
        """Connects and signs in.

        Raises:
            WireError: the source cannot be reached or refuses us.
            ConfigurationError: `sslmode` demands a certificate that cannot be checked.
        """
        try:
            self.socket = _connected(endpoint)
        except ssl.SSLError as error:
            raise WireError(f"TLS: {error.reason or 'failed'}") from None
        except OSError as error:
            raise WireError(f"connecting failed: {error.strerror or type(error).__name__}") from None
        try:
            self._sign_in(endpoint)
        except BaseException:
            self.socket.close()
            raise

    def send(self, kind: bytes, body: bytes) -> None:
        try:
            self.socket.sendall(frame(kind, body))
        except OSError as error:
            raise lost(error) from None

    def receive(self) -> tuple[bytes, bytes]:
        """The next message that is no notice: its kind and its body. Raises WireError for an error of the server."""
        while True:
            head = self._exactly(5)
            body = self._exactly(unpack_from(">I", head, 1)[0] - 4)
            if head[:1] == b"E":
                raise server_error(body)
            if head[:1] not in b"NSA":
                return head[:1], body

    def _sign_in(self, endpoint: PostgresEndpoint) -> None:
        settings = {
            "user": endpoint.user,
            "database": endpoint.database,
            "replication": "database",
            "application_name": "rosetta engine",
            "client_encoding": "UTF8",
            "options": startup_options(),
        }
        text = b"".join(f"{name}\0{value}\0".encode() for name, value in settings.items())
        self.send(b"", pack(">I", _PROTOCOL_3) + text + b"\0")
        scram: Scram | None = None
        while True:
            kind, body = self.receive()
            if kind == b"Z":
                return
            if kind == b"R":
                scram = self._authenticate(body, endpoint, scram)

    def _authenticate(self, body: bytes, endpoint: PostgresEndpoint, scram: Scram | None) -> Scram | None:
        (method,) = unpack_from(">I", body)
        if method == _CLEARTEXT:
            self.send(b"p", endpoint.password.encode() + b"\0")
        elif method == _MD5:
            inner = hashlib.md5((endpoint.password + endpoint.user).encode(), usedforsecurity=False).hexdigest()
            outer = hashlib.md5(inner.encode() + body[4:8], usedforsecurity=False).hexdigest()
            self.send(b"p", b"md5" + outer.encode() + b"\0")
        elif method == _SASL and Scram.MECHANISM in body[4:].split(b"\0"):
            scram = Scram(endpoint.password)
            first = scram.first()
            self.send(b"p", Scram.MECHANISM + b"\0" + pack(">I", len(first)) + first)
        elif method == _SASL_CONTINUE and scram is not None:
            try:
                self.send(b"p", scram.proof(body[4:]))
            except ValueError as error:
                raise WireError(str(error)) from None
        elif method == _SASL_FINAL and scram is not None:
            if not scram.is_server(body[4:]):
                raise WireError("the server does not know the password that it accepted")
        elif method != _OK:
            raise WireError(f"the source asks for a way of signing in that is not known here ({method})")
        return scram

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size > 0:
            try:
                part = self.socket.recv(min(size, 1 << 16))
            except OSError as error:
                raise lost(error) from None
            if not part:
                raise WireError("the source closed the connection")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def frame(kind: bytes, body: bytes) -> bytes:
    return kind + pack(">I", len(body) + 4) + body


def lost(error: OSError) -> WireError:
    return WireError(f"the connection was lost: {error.strerror or type(error).__name__}")


def _connected(endpoint: PostgresEndpoint) -> socket.socket:
    if endpoint.host.startswith("/"):
        local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        local.settimeout(_CONNECT_SECONDS)
        local.connect(f"{endpoint.host}/.s.PGSQL.{endpoint.port}")
        return local
    plain = socket.create_connection((endpoint.host, endpoint.port), _CONNECT_SECONDS)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, name):
                plain.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENCE_MILLIS)
        return plain if endpoint.sslmode == "disable" else _encrypted(plain, endpoint)
    except BaseException:
        plain.close()
        raise


def _encrypted(plain: socket.socket, endpoint: PostgresEndpoint) -> socket.socket:
    """The same over TLS, as libpq's `sslmode` says; `allow` and `prefer` do without where the server has none."""
    plain.sendall(frame(b"", pack(">I", _SSL_REQUEST)))
    if plain.recv(1) != b"S":
        if endpoint.sslmode in {"allow", "prefer"}:
            return plain
        raise WireError("the server does not support SSL")
    checks = endpoint.sslmode in {"verify-ca", "verify-full"}
    root = _ROOT.expanduser()
    if checks and not root.exists():
        raise ConfigurationError(
            f"sslmode {endpoint.sslmode} needs the certificate of the server's authority",
            code="TLS_ROOT_MISSING",
            remedy=f"Put it into {_ROOT} of the user that runs Rosetta, or choose sslmode `require`.",
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = endpoint.sslmode == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if checks else ssl.CERT_NONE
    if checks:
        context.load_verify_locations(root)
    return context.wrap_socket(plain, server_hostname=endpoint.host)
