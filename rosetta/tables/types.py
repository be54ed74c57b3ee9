"""Column types that SQLAlchemy does not bring."""

# ruff: noqa: ARG002 - the signatures are SQLAlchemy's

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.types import TypeDecorator, UserDefinedType

from rosetta.lsn import Lsn


class PgLsn(UserDefinedType[Lsn]):
    """PostgreSQL's pg_lsn as `rosetta.lsn.Lsn`, the same through psycopg2 and asyncpg."""

    cache_ok = True
    render_bind_cast = True

    @property
    def python_type(self) -> type[Lsn]:
        return Lsn

    def get_col_spec(self, **_: Any) -> str:
        return "pg_lsn"

    def bind_processor(self, dialect: Dialect) -> Callable[[int | None], int | str | None]:
        if dialect.driver == "asyncpg":  # speaks the binary protocol, where a pg_lsn is an integer
            return lambda value: None if value is None else int(value)
        return lambda value: None if value is None else str(Lsn(value))

    def literal_processor(self, dialect: Dialect) -> Callable[[Lsn], str]:
        return lambda value: f"'{Lsn(value)}'"

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[int | str | None], Lsn | None]:
        return _read_lsn


def _read_lsn(value: int | str | None) -> Lsn | None:
    if value is None:
        return None
    return Lsn.parse(value) if isinstance(value, str) else Lsn(value)


# Reflection (Alembic's autogenerate) then knows the type by its name in the catalog.
PGDialect.ischema_names["pg_lsn"] = PgLsn


class OneOf(TypeDecorator[StrEnum]):
    """Text whose values are those of an enumeration; read back as its members, which are strings too.

    Raises ValueError when a value is bound or read that the enumeration does not have.
    """

    impl = Text
    cache_ok = True

    def __init__(self, values: type[StrEnum]) -> None:
        super().__init__()
        self.values = values

    def process_bind_param(self, value: StrEnum | str | None, dialect: Dialect) -> str | None:
        return None if value is None else self.values(value).value

    def process_literal_param(self, value: StrEnum | str | None, dialect: Dialect) -> str:
        return "" if value is None else self.values(value).value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.values(value)
