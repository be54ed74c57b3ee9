"""A stand-in for Snowpipe Streaming's REST interface that Snowflake's own client runs against.

It checks the signature, issuer and age of the key's token, gives out scoped tokens that hold for its streaming part
alone, keeps a sequencer per channel that each opening raises, and takes a continuation token once. Rows that were
accepted are committed when the test says so, or with the next look at the channel.
"""

from __future__ import annotations

import gzip
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import jwt
import pyarrow as pa

from rosetta.dialects.snowflake.keys import SigningKey
from rosetta.dialects.snowflake.sign_in import account_name

Row = dict[str, Any]
_BUCKET = {
    "expiry_time_ms": 4_000_000_000_000,
    "location_type": "S3",
    "location": "none/none",
    "storage_endpoint": None,
    "use_s3_regional_url": False,
    "region": "us-east-1",
    "storage_account": None,
    "bucket_name": "none",
    "path_prefix": "none",
    "creds": {"AWS_KEY_ID": "none", "AWS_SECRET_KEY": "none", "AWS_TOKEN": "none"},
    "parameters": {
        "max_client_lag_seconds": 1,
        "rowset_flush_threshold_kb": 1024,
        "max_buffered_kb_for_rowset_mode": 4096,
        "rowset_threshold_lookback_seconds": 10,
        "rowset_threshold_ewma_weight": 50,
        "target_file_size_compressed_mb": 16,
        "cpu_throttle_high_watermark_percent": 95,
        "cpu_throttle_low_watermark_percent": 80,
        "mem_throttle_high_watermark_percent": 95,
        "mem_throttle_low_watermark_percent": 80,
    },
}


@dataclass
class ServedChannel:
    """What the server knows of one channel."""

    sequencer: int = 0
    appends: int = 0
    committed: str | None = None
    errors: int = 0
    error_until: str | None = None
    under_way: list[tuple[str, list[Row]]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    @property
    def continuation(self) -> str:
        return f"{self.sequencer}_{self.appends}"


@dataclass
class Fault:
    """What the next `times` requests meet whose path contains `part`. `lost`: they are carried out, unanswered."""

    part: str
    status: int = 503
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False


class RefusedError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class StreamingServer:
    """Serves until it is closed. All that it holds may be looked at and changed between requests."""

    def __init__(self, key: SigningKey, account: str, user: str, certificate: Path | None = None) -> None:
        self.key, self.account, self.user = key, account, user
        self.channels: dict[tuple[str, str], ServedChannel] = {}
        self.pipes: set[str] | None = None  # None: every pipe exists
        self.commits_at_once = True
        self.refuses: Callable[[Row], bool] = lambda _: False
        self.keep: Callable[[str, list[Row]], None] = lambda _pipe, _rows: None  # where committed rows go, besides
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.scoped = {self._scoped()}
        self.lock = threading.RLock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.host = "127.0.0.1" if certificate is None else "localhost"
        self.port = self._http.server_port
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    # -- for tests --------------------------------------------------------------------------------

    def rows(self, table: str) -> list[Row]:
        """What is committed into a table, by all channels."""
        with self.lock:
            named = [channel for (pipe, _), channel in self.channels.items() if pipe.endswith(f"/{table}-STREAMING")]
            return [row for channel in named for row in channel.rows]

    def commit(self) -> None:
        """Commits all that is accepted."""
        with self.lock:
            for place in self.channels:
                self._commit(place)

    def forget_tokens(self) -> None:
        """Ends every scoped token."""
        with self.lock:
            self.scoped.clear()

    # -- what it does -----------------------------------------------------------------------------

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Any:
        """The answer's JSON, or text. Raises RefusedError."""
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if url.path in {"/v2/streaming/hostname", "/oauth/token"} or url.path.startswith("/telemetry/"):
            self._check_key(bearer, headers)
            return self._account(url.path, body)
        if bearer not in self.scoped or headers.get("x-snowflake-authorization-token-type") != "OAUTH":
            raise RefusedError(HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED")
        place, _, verb = unquote(url.path.removeprefix("/v2/streaming/").removeprefix("data/")).partition("/channels/")
        if verb:
            name = verb.removesuffix("/rows")
            return self._channel(method, (place, name), headers, body, query)
        pipe, _, verb = place.partition(":")
        self._check_pipe(pipe)
        if verb == "pipe-info":
            encryption = {"pipe_key": "A" * 43 + "=", "pipe_key_id": 1, "diversifier": "none"}
            stages = dict.fromkeys(("rowset_stage_location", "durable_stage_location"), _BUCKET)
            return stages | {"encryption_info": encryption, "parameter_overrides": {}}
        if verb == "bulk-channel-status":
            asked = json.loads(body)["channel_names"]
            known = {name: self.channels[pipe, name] for name in asked if (pipe, name) in self.channels}
            if self.commits_at_once:
                for name in known:
                    self._commit((pipe, name))
            return {"channel_statuses": {name: _status(pipe, name, channel) for name, channel in known.items()}}
        raise RefusedError(HTTPStatus.NOT_FOUND, "NOT_FOUND")

    def _account(self, path: str, body: bytes) -> Any:
        if path.startswith("/telemetry/"):
            return {"success": True, "data": "", "code": None, "message": None}
        if path == "/v2/streaming/hostname":
            return self.host
        form = parse_qs(body.decode())
        granted = form.get("grant_type") == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        if not granted or form.get("scope") != [self.host]:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "INVALID_GRANT")
        token = self._scoped()
        self.scoped.add(token)
        return token

    def _scoped(self) -> str:
        return jwt.encode({"exp": int(time.time()) + 3600, "jti": secrets.token_hex(8)}, "k" * 32, algorithm="HS256")

    def _check_key(self, bearer: str, headers: dict[str, str]) -> None:
        subject = f"{account_name(self.account)}.{self.user.upper()}"
        issuer = f"{subject}.{self.key.fingerprint}"
        try:
            public = self.key.private.public_key()
            claims = jwt.decode(
                bearer, public, algorithms=["RS256"], issuer=issuer, options={"verify_iat": False, "verify_exp": False}
            )
        except jwt.PyJWTError:
            raise RefusedError(HTTPStatus.UNAUTHORIZED, "390144") from None
        # Snowflake's own client counts these in milliseconds.
        issued, ends = (at / 1000 if at > 1e11 else at for at in (claims["iat"], claims["exp"]))
        if not issued - 5 <= time.time() <= min(issued + 60, ends):
            raise RefusedError(HTTPStatus.UNAUTHORIZED, "394302")
        if claims["sub"] != subject or headers.get("x-snowflake-authorization-token-type") != "KEYPAIR_JWT":
            raise RefusedError(HTTPStatus.UNAUTHORIZED, "390144")

    def _check_pipe(self, pipe: str) -> None:
        if self.pipes is not None and pipe not in self.pipes:
            raise RefusedError(HTTPStatus.NOT_FOUND, "ERR_PIPE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED")

    def _channel(
        self, method: str, place: tuple[str, str], headers: dict[str, str], body: bytes, query: dict[str, str]
    ) -> Any:
        self._check_pipe(place[0])
        if method == "PUT":
            return self._open(place, json.loads(body or b"{}"))
        channel = self.channels.get(place)
        if channel is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "ERR_CHANNEL_DOES_NOT_EXIST_OR_IS_NOT_AUTHORIZED")
        if method == "DELETE":
            del self.channels[place]
            return {"last_committed_offset_token": channel.committed}
        if query.get("continuationToken") != channel.continuation:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "STALE_CONTINUATION_TOKEN_SEQUENCER")
        lines = _unpacked(headers, body)
        if len(lines) > 4 << 20:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "REQUEST_TOO_LARGE")
        rows = [json.loads(line) for line in lines.splitlines() if line]
        channel.appends += 1
        channel.under_way.append((query["endOffsetToken"], rows))
        return {"next_continuation_token": channel.continuation}

    def _open(self, place: tuple[str, str], wishes: dict[str, Any]) -> Any:
        channel = self.channels.setdefault(place, ServedChannel())
        if self.commits_at_once:
            self._commit(place)
        if channel.under_way:
            if wishes.get("fail_on_uncommitted_rows"):
                raise RefusedError(HTTPStatus.CONFLICT, "ERR_CHANNEL_HAS_UNCOMMITTED_DATA")
            channel.under_way.clear()
        channel.sequencer += 1
        channel.appends = 0
        return {"next_continuation_token": channel.continuation, "channel_status": _status(*place, channel)}

    def _commit(self, place: tuple[str, str]) -> None:
        channel = self.channels[place]
        for token, rows in channel.under_way:
            skipped = [row for row in rows if self.refuses(row)]
            taken = [row for row in rows if row not in skipped]
            self.keep(place[0], taken)
            channel.rows += taken
            channel.errors += len(skipped)
            channel.error_until = token if skipped else channel.error_until
            channel.committed = token
        channel.under_way.clear()


def _status(pipe: str, name: str, channel: ServedChannel) -> dict[str, Any]:
    _, database, _, schema, _, pipe_name = pipe.split("/")
    return {
        "database_name": database,
        "schema_name": schema,
        "pipe_name": pipe_name,
        "channel_name": name,
        "channel_status_code": "SUCCESS",
        "last_committed_offset_token": channel.committed,
        "created_on_ms": 1,
        "rows_inserted": len(channel.rows),
        "rows_parsed": len(channel.rows) + channel.errors,
        "rows_error_count": channel.errors,
        "last_error_offset_upper_bound": channel.error_until,
        "last_error_message": "a value could not be converted" if channel.errors else None,
        "last_error_timestamp_ms": 1 if channel.errors else None,
        "snowflake_avg_processing_latency_ms": 1,
    }


def _unpacked(headers: dict[str, str], body: bytes) -> bytes:
    encoding = headers.get("content-encoding")
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "zstd":
        size = int(headers["x-snowflake-uncompressed-content-length"])
        plain: bytes = pa.decompress(body, decompressed_size=size, codec="zstd", asbytes=True)
        return plain
    return body


def _handler(server: StreamingServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Tests say what they need."""

        def do_any(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            with server.lock:
                server.requests.append(f"{self.command} {self.path.partition('?')[0]}")
                fault = next((one for one in server.faults if one.part in self.path and one.times > 0), None)
                if fault is not None:
                    fault.times -= 1
                if fault is not None and not fault.lost:
                    self._say(fault.status, {"code": "BUSY"}, fault.headers)
                    return
                try:
                    status, said = int(HTTPStatus.OK), server.answer(self.command, self.path, headers, body)
                except RefusedError as refused:
                    status, said = refused.status, {"code": refused.code, "message": "canary-of-the-server"}
                if fault is not None:
                    self.close_connection = True
                    return
            self._say(status, said, {})

        def _say(self, status: int, said: Any, headers: dict[str, str]) -> None:
            data = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

    for method in ("GET", "POST", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.do_any)
    return Handler


@contextmanager
def serving(key: SigningKey, account: str, user: str, certificate: Path | None = None) -> Iterator[StreamingServer]:
    server = StreamingServer(key, account, user, certificate)
    try:
        yield server
    finally:
        server.close()
