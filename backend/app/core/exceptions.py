"""Errors of the API, each with a stable code; the HTTP status of each is said once, in `app.api.errors`.

ApplicationError (a RosettaError)
├── EntityNotFoundError          nothing has this id
├── ConflictError                the request does not fit what is there now
│   ├── DuplicateEntityError     a name is taken
│   └── EntityInUseError         something else still stands on it
├── InvalidRequestError          the request itself must be changed
│   └── ConnectionRejectedError  a database was reached or named, and what was given does not fit it
├── AuthenticationRequiredError  no valid token
├── PermissionDeniedError        the token's role does not reach
├── TooManyRequestsError         this client asks too often
└── ServiceUnavailableError      something needed is down; the same request can succeed later
    ├── ConfigDatabaseError      Rosetta's own database
        ├── ConfigDatabaseBusyError  the same, by locks or load
    └── DatabaseUnreachableError a source or a destination
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from rosetta.errors import RosettaError


class ApplicationError(RosettaError):
    """Base of the errors a client sees; `details` never holds a secret or a row value."""

    code = "APPLICATION_ERROR"

    def __init__(
        self,
        message: str,
        *,
        remedy: str | None = None,
        code: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy, code=code)
        self.details = dict(details or {})

    @classmethod
    def of(cls, error: RosettaError) -> Self:
        """One of ours as the API says it: a sentence. Of classes that are made as this one is."""
        return cls(f"{error.message[:1].upper()}{error.message[1:]}.", code=error.code, remedy=error.remedy)


class EntityNotFoundError(ApplicationError):
    code = "ENTITY_NOT_FOUND"

    def __init__(self, entity_type: str, entity_id: int | str, *, remedy: str | None = None) -> None:
        super().__init__(
            f"There is no {entity_type} {entity_id}.",
            remedy=remedy or f"List what there is, and use the id of an existing {entity_type}.",
            details={"entity_type": entity_type, "entity_id": entity_id},
        )


class ConflictError(ApplicationError):
    code = "CONFLICT"


class DuplicateEntityError(ConflictError):
    code = "DUPLICATE_ENTITY"


class EntityInUseError(ConflictError):
    code = "ENTITY_IN_USE"


class InvalidRequestError(ApplicationError):
    code = "INVALID_REQUEST"


class ConnectionRejectedError(InvalidRequestError):
    code = "CONNECTION_REJECTED"


class AuthenticationRequiredError(ApplicationError):
    code = "AUTHENTICATION_REQUIRED"


class PermissionDeniedError(ApplicationError):
    code = "PERMISSION_DENIED"


class TooManyRequestsError(ApplicationError):
    """`retry_after_seconds`: when the same request is answered again."""

    code = "TOO_MANY_REQUESTS"
    retryable = True

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            "Too many requests of this kind came from here.",
            remedy=f"Wait {retry_after_seconds} s.",
            details={"retry_after_seconds": retry_after_seconds},
        )
        self.retry_after_seconds = retry_after_seconds


class ServiceUnavailableError(ApplicationError):
    code = "SERVICE_UNAVAILABLE"
    retryable = True


class ConfigDatabaseError(ServiceUnavailableError):
    code = "CONFIG_DATABASE_DOWN"

    def __init__(self) -> None:
        super().__init__(
            "Rosetta's config database does not answer.",
            remedy="Check that the server in DATABASE_URL is running and accepts connections, then try again.",
        )


class ConfigDatabaseBusyError(ServiceUnavailableError):
    code = "CONFIG_DATABASE_BUSY"

    def __init__(self) -> None:
        super().__init__(
            "Rosetta's config database is busy with something that stands in the way of this request.",
            remedy="Try again; when it lasts, look for long transactions and locks in the config database.",
        )


class DatabaseUnreachableError(ServiceUnavailableError):
    code = "DATABASE_UNREACHABLE"
