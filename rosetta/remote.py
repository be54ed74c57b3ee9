"""The API as Rosetta's own commands use it: the same rules as for everybody else."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

import httpx

from rosetta.errors import ConfigurationError, OutageError

_PAGE: Final = 500
_TIMEOUT_SECONDS: Final = 60.0
Json = dict[str, Any]


class Remote:
    """One installation's API.

    Every method raises OutageError when it does not answer, ConfigurationError when it refuses; both pass on its
    message, code and remedy, which hold no secret.
    """

    def __init__(self, url: str, token: str) -> None:
        """`url` is where the backend is, without `/api/v1`."""
        self._client = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._client.close()

    def all(self, path: str) -> Iterator[Json]:
        """Every row of a list."""
        offset = 0
        while True:
            page = self.call("GET", path, params={"limit": _PAGE, "offset": offset, "sort": "id"})
            yield from page["items"]
            offset += len(page["items"])
            if offset >= page["total"] or not page["items"]:
                return

    def named(self, path: str, name: str) -> Json | None:
        """The row of a list with exactly this name."""
        items: list[Json] = self.call("GET", path, params={"name": name})["items"]
        return next((item for item in items if item["name"] == name), None)

    def call(self, method: str, path: str, body: Json | None = None, params: Json | None = None) -> Any:
        """The answer's JSON; None where there is none."""
        try:
            answer = self._client.request(method, path, json=body, params=params)
        except httpx.HTTPError as error:
            raise OutageError(
                f"the API does not answer ({type(error).__name__})",
                code="API_UNREACHABLE",
                remedy="Check that the backend runs, and ROSETTA_URL.",
            ) from None
        if answer.is_success:
            return answer.json() if answer.content else None
        raise _refused(method, path, answer)


def _refused(method: str, path: str, answer: httpx.Response) -> ConfigurationError | OutageError:
    try:
        body = answer.json()
    except ValueError:
        body = {}
    found = body if isinstance(body, dict) else {}
    message = f"{method} {path}: {found.get('message') or f'status {answer.status_code}'}"
    kind = OutageError if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR else ConfigurationError
    return kind(message, code=str(found.get("code") or "API_REFUSED"), remedy=found.get("remedy"))
