"""Every error as the API answers it: name, code, message, remedy, details, timestamp."""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.core.exceptions import (
    AuthenticationRequiredError,
    ConflictError,
    EntityNotFoundError,
    InvalidRequestError,
    PermissionDeniedError,
    ServiceUnavailableError,
    TooManyRequestsError,
)
from app.core.logging import get_logger
from app.domain.schemas.base import ErrorBody
from rosetta.errors import ConfigurationError, OutageError, RosettaError

_log = get_logger(__name__)

# The first that fits counts; what is not listed is our own mistake.
_STATUS: Final[tuple[tuple[type[RosettaError], HTTPStatus], ...]] = (
    (EntityNotFoundError, HTTPStatus.NOT_FOUND),
    (ConflictError, HTTPStatus.CONFLICT),
    (InvalidRequestError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (AuthenticationRequiredError, HTTPStatus.UNAUTHORIZED),
    (PermissionDeniedError, HTTPStatus.FORBIDDEN),
    (TooManyRequestsError, HTTPStatus.TOO_MANY_REQUESTS),
    (ServiceUnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
    (OutageError, HTTPStatus.SERVICE_UNAVAILABLE),
    (ConfigurationError, HTTPStatus.CONFLICT),
)

# What any route may answer besides its result, for the OpenAPI description.
ERROR_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status.value: {"model": ErrorBody, "description": status.phrase}
    for status in (
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    )
}


def error_response(error: RosettaError) -> JSONResponse:
    """The answer for one of our own errors."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    headers = {"WWW-Authenticate": "Bearer"} if status is HTTPStatus.UNAUTHORIZED else {}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    if isinstance(error, TooManyRequestsError):
        headers["Retry-After"] = str(error.retry_after_seconds)
    return _response(
        status,
        ErrorBody(
            error=type(error).__name__,
            code=error.code,
            message=error.message,
            remedy=error.remedy,
            details=getattr(error, "details", {}),
            timestamp=datetime.now(UTC),
        ),
        headers,
    )


def install(app: FastAPI) -> None:
    """Makes every error leave `app` in this form."""
    app.add_exception_handler(RosettaError, _rosetta_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected_error)


async def _rosetta_error(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RosettaError):
        raise error
    return error_response(error)


async def _validation_error(_: Request, error: Exception) -> JSONResponse:
    """Says which field and why, and never repeats what was sent: it may be a secret."""
    if not isinstance(error, RequestValidationError):
        raise error
    problems = list(_problems(error.errors()))
    return _response(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        ErrorBody(
            error="ValidationError",
            code="VALIDATION_ERROR",
            message=f"The request is not valid: {problems[0]['field']}: {problems[0]['message']}",
            remedy="Correct the fields named in details.errors; /docs describes every body.",
            details={"errors": problems},
            timestamp=datetime.now(UTC),
        ),
    )


def _problems(errors: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, str]]:
    for problem in errors:
        place = [str(part)[:64] for part in problem["loc"]]
        yield {"field": ".".join(place), "message": str(problem["msg"])[:500], "type": str(problem["type"])}


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    remedy = {
        HTTPStatus.NOT_FOUND: "GET /docs lists all routes.",
        HTTPStatus.METHOD_NOT_ALLOWED: "GET /docs lists the methods of each route.",
        HTTPStatus.BAD_REQUEST: "Send a valid JSON document in UTF-8.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Send a smaller body.",
    }.get(status)
    name = "".join(word.capitalize() for word in status.name.split("_"))
    return _response(
        status,
        ErrorBody(
            error=f"{name}Error",
            code=status.name,
            message=str(error.detail),
            remedy=remedy,
            timestamp=datetime.now(UTC),
        ),
        dict(error.headers or {}),
    )


async def _unexpected_error(request: Request, error: Exception) -> JSONResponse:
    """A mistake of ours: the client gets a number to ask for.

    The log gets its place in the code, not its text, because the text may hold values.
    """
    error_id = uuid.uuid4().hex
    frames = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    kind = type(error).__name__
    _log.error("unexpected_error", error_id=error_id, path=request.url.path, exception_type=kind, frames=frames[-10:])
    return _response(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        ErrorBody(
            error="InternalError",
            code="INTERNAL_ERROR",
            message="Rosetta made a mistake; nothing was saved.",
            remedy="Look for this error_id in the backend's log, and report it.",
            details={"error_id": error_id},
            timestamp=datetime.now(UTC),
        ),
    )


def _response(status: HTTPStatus, body: ErrorBody, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body.model_dump(mode="json"), status_code=status, headers=dict(headers or {}))
