"""What every mapped table shares: the declarative base, the column types and the columns that repeat."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from sqlalchemy import BigInteger, CheckConstraint, FetchedValue, Identity, Integer, LargeBinary, Numeric, Text, func
from sqlalchemy.dialects.postgresql import ARRAY, DOUBLE_PRECISION, JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, MappedColumn, mapped_column

from rosetta.lsn import Lsn
from rosetta.tables.types import OneOf, PgLsn

# A Python None is SQL's NULL and never the JSON value null.
JSON = JSONB(none_as_null=True)
JsonObject = dict[str, Any]


class Base(DeclarativeBase):
    """Maps the config database of migrations/001_create_table.sql, attribute for column.

    What the database fills in (ids, defaults, `updated_at`) is fetched by the same statement, so that no
    attribute has to be loaded later. Relationships are loaded by name only: touching one that was not
    raises.
    """

    __mapper_args__: Any = {"eager_defaults": True}  # noqa: RUF012 - declared so by SQLAlchemy
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger,
        float: DOUBLE_PRECISION,
        Decimal: Numeric,
        str: Text,
        bytes: LargeBinary,
        datetime: TIMESTAMP(timezone=True),
        Lsn: PgLsn,
        JsonObject: JSON,
        list[Any]: JSON,
        list[str]: ARRAY(Text),
        list[int]: ARRAY(BigInteger),
    }


Id = Annotated[int, mapped_column(BigInteger, Identity(always=False), primary_key=True)]
Int4 = Annotated[int, mapped_column(Integer)]
Now = Annotated[datetime, mapped_column(server_default=func.now())]
# Set by the trigger `touch`.
UpdatedAt = Annotated[datetime, mapped_column(server_default=func.now(), server_onupdate=FetchedValue())]


def one_of(column: str, values: type[StrEnum], default: StrEnum | None = None) -> MappedColumn[Any]:
    """A text column that a CHECK constraint holds to the values of an enumeration."""
    listed = ", ".join(f"'{value}'" for value in values)
    return mapped_column(
        column, OneOf(values), CheckConstraint(f"{column} IN ({listed})"), server_default=default and default.value
    )
