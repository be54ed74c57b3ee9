"""Making a target table fit: create it, extend it, or say exactly why it cannot hold the source's rows."""

from __future__ import annotations

from typing import Final

from compute.destinations.base import TableTarget
from compute.destinations.snowflake.evolution import Evolution, KnownSource
from compute.destinations.snowflake.session import Session
from rosetta.dialects.snowflake import tables
from rosetta.dialects.snowflake.merge_table import MergeTable
from rosetta.dialects.snowflake.names import OWN_SCHEMA, Naming
from rosetta.dialects.snowflake.tables import TargetColumn
from rosetta.enums import SyncMode
from rosetta.errors import ConfigurationError, DataError, SchemaMismatchError, UnsupportedError

# How INFORMATION_SCHEMA names what CREATE TABLE calls otherwise.
_FAMILIES: Final = {"TEXT": "VARCHAR"}


def ensure_table(
    session: Session, target: TableTarget, table: MergeTable, owner: tuple[int, int], naming: Naming
) -> bool:
    """Creates or extends the target; see `Destination.ensure_table`. `table` describes all columns of the source."""
    _refuse(target, table)
    doing = f"preparing {target.target}"
    try:
        evolution = Evolution(session, target, table, naming, _claim(session, target, table, owner))
        session.run(tables.schema_sql(table.target.schema), doing)
        found = session.rows(tables.columns_sql(table.target), doing)
        if found:
            evolution.check({name for name, *_ in found})
            _extend(session, target, table, found)
            return evolution.remember()
        key = [table.columns[position].name for position in table.key]
        sql = tables.create_table_sql(table.target, table.columns, key, target.mode, target.delete_mode)
        session.run(sql, doing)
        return evolution.remember()
    except SchemaMismatchError:
        raise
    except DataError as error:
        if error.code != "INSUFFICIENT_PRIVILEGE":
            raise
        raise ConfigurationError(error.message, code=error.code, remedy=grant(session)) from None


def grant(session: Session) -> str:
    """What a person runs so that Rosetta can keep its own tables beside the targets."""
    endpoint = session.endpoint
    role = endpoint.role or "<role>"
    return (
        f"GRANT USAGE, CREATE SCHEMA ON DATABASE {endpoint.database} TO ROLE {role}; "
        f"or make the schema {OWN_SCHEMA} and grant the role its ownership."
    )


def _refuse(target: TableTarget, table: MergeTable) -> None:
    reserved = [column.name for column in table.columns if column.name.upper().startswith("_ROSETTA_")]
    if reserved:
        raise UnsupportedError(
            f"{target.source} has columns named like Rosetta's own: {', '.join(reserved)}",
            remedy="Leave these columns out of the table sync or of the publication.",
        )
    if target.mode is SyncMode.APPEND:
        return
    if not table.key:
        raise UnsupportedError(
            f"{target.source} has no key, so its rows cannot be told apart in Snowflake",
            code="KEY_NEEDED",
            remedy="Give the table a primary key, or set the table sync's mode to append.",
        )
    unordered = [table.columns[position].name for position in table.key if not table.columns[position].type.ordered]
    if unordered:
        raise UnsupportedError(
            f"{target.source} has key columns that Snowflake orders otherwise: {', '.join(unordered)}",
            code="KEY_NOT_ORDERED",
            remedy="Set snowflake_numeric_scale for numerics without a precision, or the table sync's mode to append.",
        )


def _claim(session: Session, target: TableTarget, table: MergeTable, owner: tuple[int, int]) -> KnownSource:
    doing = f"claiming {target.target}"
    session.run(tables.claim_sql(table.target, target.source, *owner), doing)
    mine = (*owner, target.source.schema, target.source.name)
    known = KnownSource()
    for pipeline, destination, schema, name, *told in session.rows(tables.owners_sql(table.target), doing):
        if (int(pipeline), int(destination), schema, name) != mine:
            raise SchemaMismatchError(
                f"{table.target} is already written by pipeline {pipeline}, destination {destination}, "
                f"from {schema}.{name}",
                code="TARGET_TAKEN",
                remedy=f"Choose another target name, or, when that one is gone: {tables.release_sql(table.target)}",
            )
        known = KnownSource(*told)
    return known


def _extend(
    session: Session, target: TableTarget, table: MergeTable, found: list[tuple[str, str, int | None, int | None]]
) -> None:
    doing = f"extending {target.target}"
    present = {name: (_FAMILIES.get(kind, kind), precision, scale) for name, kind, precision, scale in found}
    wanted = {column.name: column.type.name for column in table.columns}
    own = tables.own_columns(target.mode, target.delete_mode)
    missing_own = [name for name in own if name not in present]
    if missing_own:
        raise SchemaMismatchError(
            f"{table.target} exists and lacks Rosetta's columns {', '.join(missing_own)}",
            remedy="Choose another target name: a table that Rosetta did not make is left as it is.",
        )
    for column in table.columns:
        if column.name in present:
            widened = _widened(column, *present[column.name])
            if widened is None:
                raise _mismatch(table, column, present[column.name][0])
            if widened:
                session.run(tables.widen_sql(table.target, column.name, column.type.name), doing)
    added = {name: kind for name, kind in wanted.items() if name not in present}
    if added:
        session.run(tables.add_columns_sql(table.target, added), doing)


def _widened(column: TargetColumn, family: str, precision: int | None, scale: int | None) -> bool | None:
    """Whether the present type has to be widened; None: it cannot hold the column's values."""
    if family != column.type.family:
        return None
    if family != "NUMBER" or precision is None:
        return False
    digits, places = (int(part) for part in column.type.name.removeprefix("NUMBER(").removesuffix(")").split(","))
    if int(precision) - int(scale or 0) >= digits - places and int(scale or 0) >= places:
        return False
    return True if int(scale or 0) == places else None


def _mismatch(table: MergeTable, column: TargetColumn, family: str) -> SchemaMismatchError:
    return SchemaMismatchError(
        f"{table.target}.{column.name} is {family} and cannot hold {column.type.name}",
        remedy=f"Rename or drop the column at the target, then resync: its source needs {column.type.name}.",
    )
