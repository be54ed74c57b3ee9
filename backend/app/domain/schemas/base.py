"""What every body shares: unknown fields are refused, and so is text PostgreSQL cannot store."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

MAX_ID = 2**63 - 1
MAX_DEPTH = 32


def storable_text(value: str) -> str:
    """`value` itself. Raises ValueError for NUL and for halves of surrogate pairs, which PostgreSQL refuses."""
    if "\0" in value:
        raise ValueError("text may not contain NUL characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("text must be valid Unicode") from None
    return value


def storable(value: Any, depth: int = 0) -> Any:
    """`value` itself. Raises ValueError when some part of it cannot be stored as text or jsonb."""
    if depth > MAX_DEPTH:
        raise ValueError(f"values may be nested {MAX_DEPTH} levels deep")
    if isinstance(value, str):
        storable_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("numbers must be finite")
    elif isinstance(value, Mapping):
        for key, part in value.items():
            storable(key, depth + 1)
            storable(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            storable(part, depth + 1)
    return value


Id = Annotated[int, Field(ge=1, le=MAX_ID)]
Text = Annotated[str, AfterValidator(storable_text)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(storable_text)]
# A name in a PostgreSQL catalog: at most 63 bytes; longer ones would be cut silently.
Identifier = Annotated[
    str,
    Field(min_length=1, max_length=63),
    AfterValidator(lambda name: name if len(name.encode()) <= 63 else _too_long()),
]


def _too_long() -> str:
    raise ValueError("a PostgreSQL name has at most 63 bytes")


class Body(BaseModel):
    """A request body. Fields that only answers have (`read_only`) are dropped, so a GET can be sent back as a PUT."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=False)
    read_only: ClassVar[frozenset[str]] = frozenset({"id", "created_at", "updated_at"})

    @model_validator(mode="before")
    @classmethod
    def _acceptable(cls, value: Any) -> Any:
        storable(value)
        if isinstance(value, Mapping):
            return {key: part for key, part in value.items() if key not in cls.read_only}
        return value

    def sent(self) -> dict[str, Any]:
        """The fields that the request really had, with their validated values."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}


class View(BaseModel):
    """An answer, read from a row's attributes."""

    model_config = ConfigDict(from_attributes=True)


class Stamped(View):
    id: int
    created_at: datetime
    updated_at: datetime


ItemT = TypeVar("ItemT")


class Page(BaseModel, Generic[ItemT]):
    """Part of a list; `total` counts everything that matches."""

    items: list[ItemT]
    total: int
    limit: int
    offset: int

    @classmethod
    def of(cls, rows: Sequence[object], total: int, query: PageRequest) -> Self:
        """What `query` asked for, each item read from a row's attributes."""
        return cls.model_validate({"items": rows, "total": total, "limit": query.limit, "offset": query.offset})


class PageRequest(Body):
    """Which part of a list, in which order: `sort` is a field name, with `-` before it for descending."""

    limit: int = Field(default=50, ge=1, le=500)
    offset: int = Field(default=0, ge=0, le=MAX_ID)
    sort: str | None = Field(default=None, max_length=64)


class ErrorBody(BaseModel):
    """Every error of the API."""

    error: str = Field(description="name of the error", examples=["EntityNotFoundError"])
    code: str = Field(description="stable machine code", examples=["ENTITY_NOT_FOUND"])
    message: str
    remedy: str | None = Field(default=None, description="what mends it, where that is known")
    details: dict[str, Any] = Field(default_factory=dict)
    timestamp: datetime
