"""Answers made by PostgreSQL: a view of the API, with everything nested in it, as one JSON text per row.

A page of a long list would otherwise become thousands of objects, twice: rows, then views, only to be written out. The
shape is not said again here, it is read from the view that describes the route; a test compares both ways.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo
from sqlalchemy import JSON, TIMESTAMP, ColumnElement, func, inspect, literal_column, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.orm import Mapper, RelationshipProperty

from rosetta.tables import Base

# What stands for attributes that are no columns, by `Model.attribute`.
Expressions = Mapping[str, ColumnElement[Any]]
# As every other route writes a moment; the sessions of the backend are in UTC.
_MOMENT: Final[ColumnElement[Any]] = literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'""")
_DIALECT: Final[Dialect] = make_url("postgresql+asyncpg://").get_dialect()()
_NOTHING: Final[ColumnElement[Any]] = literal_column("'[]'::json")


def json_of(view: type[BaseModel], model: type[Base], expressions: Expressions) -> ColumnElement[Any]:
    """A JSON object with the fields of `view`, to be selected from the table of `model`.

    A field is the column or the relationship of its name, or of one of its aliases; one that the model does not know
    has its default. It is SQL already: of hundreds of parts, each statement with it would be put together again.
    """
    table = inspect(model).local_table
    statement = select(_object(view, model, expressions).label("item")).select_from(table)
    text = str(statement.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))
    return literal_column(text.removeprefix("SELECT ").removesuffix(f" AS item \nFROM {table}"), JSON)


def _object(view: type[BaseModel], model: type[Base], expressions: Expressions) -> ColumnElement[Any]:
    parts: list[Any] = []
    for name, field in view.model_fields.items():
        parts += [literal_column(f"'{name}'"), _value(name, field, inspect(model), expressions)]
    return func.json_build_object(*parts, type_=JSON)


def _value(name: str, field: FieldInfo, mapper: Mapper[Any], expressions: Expressions) -> ColumnElement[Any]:
    for attribute in _names(name, field):
        computed = expressions.get(f"{mapper.class_.__name__}.{attribute}")
        if computed is not None:
            return computed
        if attribute in mapper.relationships:
            return _nested(mapper.relationships[attribute], field, expressions)
        if attribute in mapper.columns:
            column: ColumnElement[Any] = mapper.columns[attribute]
            return func.to_char(column, _MOMENT) if isinstance(column.type, TIMESTAMP) else column
    default = json.dumps(field.get_default(call_default_factory=True))
    return literal_column(f"'{default}'::json")


def _nested(relationship: RelationshipProperty[Any], field: FieldInfo, expressions: Expressions) -> ColumnElement[Any]:
    item = _object(_view_in(field.annotation), relationship.mapper.class_, expressions)
    if relationship.uselist:
        item = func.coalesce(func.json_agg(aggregate_order_by(item, *(relationship.order_by or ()))), _NOTHING)
    found = select(item).select_from(relationship.mapper.local_table).where(relationship.primaryjoin)
    return found.correlate(relationship.parent.local_table).scalar_subquery()


def _view_in(annotation: Any) -> type[BaseModel]:
    """The view in `list[View]` or `View | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(_view_in(part) for part in get_args(annotation) if part is not type(None))


def _names(name: str, field: FieldInfo) -> Iterator[str]:
    if isinstance(field.validation_alias, AliasChoices):
        yield from (choice for choice in field.validation_alias.choices if isinstance(choice, str))
    yield name
