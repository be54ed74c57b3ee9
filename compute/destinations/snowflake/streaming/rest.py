"""Requests to Snowpipe Streaming's REST interface: signed in, repeated where that helps, refused in our words.

Source: docs.snowflake.com, "Snowpipe Streaming REST API endpoints", and what Snowflake's own client sends.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from rosetta.backoff import Backoff
from rosetta.dialects.snowflake.sign_in import sign_in_token
from rosetta.errors import DataError, OutageError, RosettaError
from rosetta.snowflake import SnowflakeEndpoint
from rosetta.snowflake.trust import trust

_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
_ATTEMPTS: Final = 5
_PAUSES: Final = Backoff(0.25, 4.0)
_LONGEST_ASKED_SECONDS: Final = 10.0
# A scoped token is made anew well before Snowflake ends it (an hour after it was made).
_TOKEN_LIFE: Final = timedelta(minutes=45)
_HOST: Final = re.compile(r"[A-Za-z0-9_.-]{1,253}")
_BUSY: Final = frozenset({408, 429, 500, 502, 503, 504})
# Codes of a 4xx that a channel mends by being opened again.
_STALE: Final = frozenset(
    {
        "STALE_CONTINUATION_TOKEN_SEQUENCER",
        "STALE_CLIENT_SEQUENCER",
        "ERR_CHANNEL_MUST_BE_REOPENED",
        "ERR_CHANNEL_MUST_BE_REOPENED_DUE_TO_ROW_SEQ_GAP",
        "ERR_CHANNEL_DOES_NOT_EXIST_OR_IS_NOT_AUTHORIZED",
    }
)
_MISSING: Final = frozenset(
    {
        "ERR_TABLE_DOES_NOT_EXIST_NOT_AUTHORIZED",
        "ERR_PIPE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED",
        "ERR_DATABASE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED",
        "ERR_SCHEMA_DOES_NOT_EXIST_OR_NOT_AUTHORIZED",
    }
)


class StaleChannelError(OutageError):
    """The channel was opened again since, by us or by somebody else; it is opened once more."""

    code = "CHANNEL_STALE"


class UncommittedRowsError(OutageError):
    """The channel still has rows under way from before."""

    code = "CHANNEL_BUSY"


class StreamingRest:
    """One account's streaming interface; used by one thread.

    Every call is bounded by some `_ATTEMPTS` requests; it raises OutageError when Snowflake does not answer, is busy
    or lets nobody in, DataError when it refuses what it was sent.
    """

    def __init__(
        self,
        endpoint: SnowflakeEndpoint,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._endpoint = endpoint
        self._pause = pause
        self._client: httpx.Client | None = None
        self._ingest_url: str | None = None
        self._token: str | None = None
        self._token_until = datetime.min.replace(tzinfo=UTC)

    def close(self) -> None:
        """Gives the connections back; the next call makes new ones. Safe to call twice."""
        if self._client is not None:
            self._client.close()
        self._client = None

    def call(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The answer to one call of the streaming interface. `body` is gzip of NDJSON."""
        headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"} if body is not None else {}
        failures = 0
        while True:
            headers |= self._authorization(doing)
            answer = self._send(
                doing, method, f"{self._ingest_url}{path}", json=json, content=body, params=query, headers=headers
            )
            if isinstance(answer, httpx.Response) and answer.is_success:
                return _object(answer, doing)
            failures += 1
            if isinstance(answer, httpx.Response):
                if answer.status_code in {401, 403}:
                    self._token = None
                elif answer.status_code not in _BUSY:
                    raise _refused(answer, doing)
            if failures >= _ATTEMPTS:
                raise _given_up(answer, doing)
            self._pause(_wait_seconds(answer, failures))

    # -- signing in -------------------------------------------------------------------------------

    def _authorization(self, doing: str) -> dict[str, str]:
        if self._token is None or datetime.now(UTC) >= self._token_until:
            self._sign_in(doing)
        return {"Authorization": f"Bearer {self._token}", "X-Snowflake-Authorization-Token-Type": "OAUTH"}

    def _sign_in(self, doing: str) -> None:
        """Asks where rows go, and for a token that is good for that place alone."""
        said = self._ask("GET", "/v2/streaming/hostname", doing)
        host = _text(said, "hostname").replace("_", "-")
        if _HOST.fullmatch(host) is None:
            raise OutageError(f"{doing}: Snowflake named no host for streaming", code="STREAMING_HOST_UNKNOWN")
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "scope": host}
        answer = self._ask("POST", "/oauth/token", doing, data=form)
        self._ingest_url = f"{self._endpoint.scheme}://{host}:{self._endpoint.port}"
        self._token = _text(answer, "token", "access_token")
        self._token_until = datetime.now(UTC) + _TOKEN_LIFE

    def _ask(self, method: str, path: str, doing: str, data: Mapping[str, str] | None = None) -> httpx.Response:
        """One call to the account's own host, by a token that the key signs."""
        endpoint, failures = self._endpoint, 0
        while True:
            headers = {
                "Authorization": f"Bearer {sign_in_token(endpoint.key, endpoint.account, endpoint.user)}",
                "X-Snowflake-Authorization-Token-Type": "KEYPAIR_JWT",
            }
            url = f"{endpoint.scheme}://{endpoint.host}:{endpoint.port}{path}"
            answer = self._send(doing, method, url, data=data, headers=headers)
            if isinstance(answer, httpx.Response):
                if answer.is_success:
                    return answer
                if answer.status_code not in _BUSY:
                    raise _not_let_in(answer, doing)
            failures += 1
            if failures >= _ATTEMPTS:
                raise _given_up(answer, doing)
            self._pause(_wait_seconds(answer, failures))

    def _send(self, doing: str, method: str, url: str, **options: Any) -> httpx.Response | httpx.TransportError:
        if self._client is None:
            headers = {"User-Agent": "rosetta"}
            self._client = httpx.Client(timeout=_TIMEOUT, verify=trust(), headers=headers)
        try:
            return self._client.request(method, url, **options)
        except httpx.TransportError as error:
            return error
        except httpx.HTTPError as error:
            raise OutageError(f"{doing}: {type(error).__name__}", code="STREAMING_UNREACHABLE") from None


def _wait_seconds(answer: httpx.Response | httpx.TransportError, failures: int) -> float:
    asked = answer.headers.get("Retry-After", "") if isinstance(answer, httpx.Response) else ""
    if asked.isdigit():
        return min(float(asked), _LONGEST_ASKED_SECONDS)
    return _PAUSES.delay_seconds(failures)


def _object(answer: httpx.Response, doing: str) -> dict[str, Any]:
    try:
        found = answer.json() if answer.content else {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise OutageError(f"{doing}: Snowflake's answer cannot be read", code="STREAMING_ANSWER")
    return found


def _text(answer: httpx.Response, *keys: str) -> str:
    """A value that is answered as JSON or as plain text."""
    text = answer.text.strip()
    if text[:1] not in {"{", '"'}:
        return text
    try:
        found = answer.json()
    except ValueError:
        return ""
    if isinstance(found, dict):
        return str(next((found[key] for key in keys if key in found), ""))
    return str(found)


def _code(answer: httpx.Response) -> str:
    try:
        found = answer.json()
    except ValueError:
        return ""
    return str(found.get("code") or "") if isinstance(found, dict) else ""


def _refused(answer: httpx.Response, doing: str) -> RosettaError:
    """The reason by its code; its words are not repeated, since they may quote rows."""
    code = _code(answer)
    if code in _STALE:
        return StaleChannelError(f"{doing}: the channel was opened again since")
    if code == "ERR_CHANNEL_HAS_UNCOMMITTED_DATA" or answer.status_code == 409:
        return UncommittedRowsError(f"{doing}: rows from before are still under way")
    if code in _MISSING or answer.status_code == 404:
        return OutageError(
            f"{doing}: the table or its pipe does not exist, or the role may not use it",
            code="STREAMING_TARGET_MISSING",
            remedy="Grant OPERATE and MONITOR on the pipe and INSERT on the table to the role.",
        )
    if answer.status_code in {400, 413, 422}:
        return DataError(
            f"{doing}: Snowflake refuses the rows ({code or answer.status_code})", code="STREAMING_REFUSED"
        )
    return OutageError(f"{doing}: Snowflake answered {answer.status_code}", code="STREAMING_ANSWER")


def _not_let_in(answer: httpx.Response, doing: str) -> OutageError:
    if answer.status_code in {400, 401, 403}:
        return OutageError(
            f"{doing}: Snowflake does not let the key in",
            code="KEY_REJECTED",
            remedy="Run the ALTER USER statement that the destination's key shows; check account, user and the clock.",
        )
    return OutageError(
        f"{doing}: there is no streaming interface here ({answer.status_code})",
        code="STREAMING_UNAVAILABLE",
        remedy="Check snowflake_account and snowflake_host; the account's region must offer Snowpipe Streaming.",
    )


def _given_up(answer: httpx.Response | httpx.TransportError, doing: str) -> OutageError:
    if isinstance(answer, httpx.TransportError):
        return OutageError(f"{doing}: no answer ({type(answer).__name__})", code="STREAMING_UNREACHABLE")
    if answer.status_code in {401, 403}:
        return _not_let_in(answer, doing)
    return OutageError(f"{doing}: Snowflake is busy ({answer.status_code})", code="STREAMING_BUSY")
