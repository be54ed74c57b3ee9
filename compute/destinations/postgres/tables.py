"""Making a target table fit: create it, extend it, or say exactly why it cannot hold the source's rows."""

from __future__ import annotations

from collections.abc import Iterator

from compute.destinations.base import TableTarget
from compute.destinations.postgres.evolution import Evolution, KnownSource
from compute.destinations.postgres.session import Session
from compute.destinations.postgres.staging import read_target
from rosetta.dialects.postgres import ddl, qualified, quoted, user_types
from rosetta.dialects.postgres.target_facts import TargetTable
from rosetta.enums import SyncMode
from rosetta.errors import ConfigurationError, DataError, SchemaMismatchError, UnsupportedError
from rosetta.types import TableSchema, UserType
from rosetta.types.widening import holds


def ensure_table(session: Session, target: TableTarget, pipeline_id: int, destination_id: int, copy_name: str) -> bool:
    """Creates or extends the target in one transaction; see `Destination.ensure_table`."""
    _refuse_reserved_names(target.schema)
    try:
        with session.transaction(f"preparing {target.target}"):
            session.run(ddl.DDL_LOCK, f"preparing {target.target}")
            known = _claim(session, target, pipeline_id, destination_id)
            ensure_schema(session, target.target.schema)
            types = _ensure_types(session, target.schema)
            existing = read_target(session, target.target)
            evolution = Evolution(session, target, known, types, copy_name)
            if existing is None:
                sql = ddl.create_table_sql(target.target, target.schema, types, target.mode, target.delete_mode)
                session.run(sql, f"creating {target.target}")
            else:
                evolution.check(existing)
                if evolution.widen(existing):
                    existing = read_target(session, target.target) or existing
                _extend(session, target, existing, types)
            return evolution.remember()
    except DataError as error:
        raise _with_grant(error, session, target) from None


def _refuse_reserved_names(schema: TableSchema) -> None:
    reserved = [name for name in schema.column_names if name.startswith("_rosetta_")]
    if reserved:
        raise UnsupportedError(
            f"{schema.table} has columns named like Rosetta's own: {', '.join(reserved)}",
            remedy="Leave these columns out of the table sync or of the publication.",
        )


def _claim(session: Session, target: TableTarget, pipeline_id: int, destination_id: int) -> KnownSource:
    """What the target was made for. Refuses one that another source table, or another pipeline, writes to."""
    sql = ddl.claim_table_sql(target.target, target.source, pipeline_id, destination_id, target.sync_id)
    ((pipeline, destination, schema, name, *known),) = session.rows(sql, f"claiming {target.target}")
    if (pipeline, destination, schema, name) == (
        pipeline_id,
        destination_id,
        target.source.schema,
        target.source.name,
    ):
        return KnownSource(*known)
    raise SchemaMismatchError(
        f"{target.target} is already written by pipeline {pipeline}, destination {destination}, from {schema}.{name}",
        code="TARGET_TAKEN",
        remedy=f"Choose another target name, or, when that one is gone: {ddl.release_table_sql(target.target)}",
    )


def ensure_schema(session: Session, schema: str) -> None:
    """Creates a schema unless it exists."""
    # IF NOT EXISTS asks for the right to create even where nothing is to be created.
    if not session.rows(user_types.schema_exists_sql(schema), "looking for a schema")[0][0]:
        session.run(f"CREATE SCHEMA {quoted(schema)}", f"creating schema {schema}")


def _ensure_types(session: Session, schema: TableSchema) -> dict[str, str]:
    """Creates missing types; returns the columns' types as the target names them."""
    names, types = {}, {column.name: column.type for column in schema.columns}
    for column in schema.columns:
        for user_type in column.user_types:
            identity = (user_type.schema, user_type.name)
            if identity not in names:
                names[identity] = _ensure_type(session, user_type)
            types[column.name] = user_types.moved_type(types[column.name], user_type, names[identity])
    return types


def _ensure_type(session: Session, user_type: UserType) -> str:
    """Makes one type exist; returns the schema it lives in at the target."""
    doing = f"creating type {user_type.schema}.{user_type.name}"
    found = session.rows(user_types.user_type_sql(user_type), doing)
    if user_type.kind == "extension":
        return _ensure_extension(session, user_type, found[0])
    if user_type.kind == "base":
        if not found:
            raise UnsupportedError(
                f"type {user_type.schema}.{user_type.name} is a base type of no extension",
                remedy="Create the type in the target database, then resync the table.",
            )
    elif not found:
        ensure_schema(session, user_type.schema)
        session.run(user_types.create_type_sql(user_type), doing)
    elif user_type.kind == "enum":
        labels = user_types.add_labels_sql(user_type, tuple(found[0][1]))
        if labels:
            session.run(labels, f"adding labels to {user_type.schema}.{user_type.name}")
    return user_type.schema


def _ensure_extension(session: Session, user_type: UserType, found: tuple[str | None, bool]) -> str:
    schema, available = found
    if schema is not None:
        return schema
    name, statement = user_type.definition[0], user_types.create_extension_sql(user_type)
    if not available:
        raise UnsupportedError(
            f"the target server has no extension {name}, which type {user_type.name} needs",
            remedy=f"Install the extension on the target server, then: {statement};",
        )
    ensure_schema(session, user_type.schema)
    try:
        session.run(statement, f"creating extension {name}")
    except DataError as error:
        raise ConfigurationError(
            error.message, code="EXTENSION_MISSING", remedy=f"Have a superuser of the target run: {statement};"
        ) from None
    return user_type.schema


def _extend(session: Session, target: TableTarget, existing: TargetTable, types: dict[str, str]) -> None:
    """Adds missing columns to a table that fits otherwise. Raises SchemaMismatchError with every difference."""
    differences = list(_differences(target, existing, types))
    if differences:
        raise SchemaMismatchError(
            f"{target.target} cannot hold {target.source}: " + "; ".join(text for text, _ in differences),
            remedy="\n".join(sql for _, sql in differences),
        )
    own = ddl.own_columns(target.mode, target.delete_mode)
    missing = {
        column.name: ddl.column_sql(types[column.name], column.missing if target.mode is SyncMode.CURRENT else None)
        for column in target.schema.columns
        if column.name not in existing.columns
    }
    missing |= {name: declaration for name, declaration in own.items() if name not in existing.columns}
    if missing:
        session.run(ddl.add_columns_sql(target.target, missing), f"adding columns to {target.target}")


def _differences(target: TableTarget, existing: TargetTable, types: dict[str, str]) -> Iterator[tuple[str, str]]:
    """What is wrong, each with the SQL that mends it."""
    table = qualified(target.target)
    if existing.kind not in {"r", "p"}:
        yield "it is not a table", "-- choose another target name"
        return
    yield from _column_differences(target, existing, types)
    known = {*target.schema.column_names, *ddl.own_columns(target.mode, target.delete_mode)}
    for name, extra in existing.columns.items():
        if name not in known and extra.not_null and not extra.has_default and not extra.generated:
            mend = f"ALTER TABLE {table} ALTER {quoted(name)} DROP NOT NULL;"
            yield f"column {name}, which the source lacks, is NOT NULL without a default", mend
    key = ddl.target_key(target.schema, target.mode)
    if key and not existing.has_unique_key(key):
        names = ", ".join(quoted(name) for name in key)
        yield f"it has no unique index on exactly ({', '.join(key)})", f"CREATE UNIQUE INDEX ON {table} ({names});"


def _column_differences(target: TableTarget, existing: TargetTable, types: dict[str, str]) -> Iterator[tuple[str, str]]:
    for column in target.schema.columns:
        present = existing.columns.get(column.name)
        if present is None:
            continue
        alter, wanted = f"ALTER TABLE {qualified(target.target)} ALTER {quoted(column.name)}", types[column.name]
        if present.generated:
            yield f"column {column.name} is generated", f"{alter} DROP EXPRESSION;"
        if not holds(present.type, wanted, enum=column.is_enum):
            mend = f"{alter} TYPE {wanted} USING {quoted(column.name)}::text::{wanted};"
            yield f"column {column.name} is {present.type}, the source has {wanted}", mend


def _with_grant(error: DataError, session: Session, target: TableTarget) -> DataError:
    """Names the statement that gives the right that is missing."""
    if error.code != "PG_42501":
        return error
    user, database = quoted(session.endpoint.user), quoted(session.endpoint.database)
    grants = (
        f"GRANT CREATE, TEMPORARY ON DATABASE {database} TO {user}; "
        f"GRANT USAGE, CREATE ON SCHEMA {quoted(target.target.schema)} TO {user}; "
        f"-- a table that exists already: ALTER TABLE {qualified(target.target)} OWNER TO {user};"
    )
    return DataError(error.message, code="PERMISSION_MISSING", remedy=grants)
