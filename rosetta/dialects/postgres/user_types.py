"""Types that a target must have before a table can use them. Pure SQL text."""

from __future__ import annotations

import re

from rosetta.dialects.postgres.text import literal, qualified, quoted
from rosetta.identifiers import TableId
from rosetta.types import UserType

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def user_type_sql(user_type: UserType) -> str:
    """SQL that answers what the target has under this name: (kind, labels), or no row.

    An extension is looked up by its own name and answers (schema it is installed in, available versions).
    """
    if user_type.kind == "extension":
        (extension,) = user_type.definition[:1]
        return (
            "SELECT (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
            f"WHERE e.extname = {literal(extension)}), "
            f"EXISTS (SELECT FROM pg_available_extensions WHERE name = {literal(extension)})"
        )
    return (
        "SELECT t.typtype::text, "
        "ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder) "
        "FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "
        f"WHERE n.nspname = {literal(user_type.schema)} AND t.typname = {literal(user_type.name)}"
    )


def create_type_sql(user_type: UserType) -> str:
    """SQL that creates an enum, a domain, a composite or a range. Raises ValueError for another kind."""
    name = qualified(TableId(user_type.schema, user_type.name))
    match user_type.kind:
        case "enum":
            return f"CREATE TYPE {name} AS ENUM ({', '.join(literal(label) for label in user_type.definition)})"
        case "composite":
            return f"CREATE TYPE {name} AS ({', '.join(user_type.definition)})"
        case "domain":
            return f"CREATE DOMAIN {name} AS {' '.join(user_type.definition)}"
        case "range":
            return f"CREATE TYPE {name} AS RANGE ({', '.join(_range_options(user_type.definition))})"
    raise ValueError(f"a type of kind {user_type.kind} cannot be created")


def _range_options(definition: tuple[str, ...]) -> tuple[str, ...]:
    """A bare first entry is the subtype; the others are `name = value` already."""
    return tuple(part if "=" in part else f"SUBTYPE = {part}" for part in definition)


def create_extension_sql(user_type: UserType) -> str:
    return f"CREATE EXTENSION IF NOT EXISTS {quoted(user_type.definition[0])} SCHEMA {quoted(user_type.schema)}"


def add_labels_sql(user_type: UserType, present: tuple[str, ...]) -> str:
    """Adds the labels that are missing, each at its place in the order, so that ranges of keys stay ranges."""
    name = qualified(TableId(user_type.schema, user_type.name))
    known, statements = list(present), []
    for position, label in enumerate(user_type.definition):
        if label in known:
            continue
        before = next((other for other in user_type.definition[position + 1 :] if other in known), None)
        place = f" BEFORE {literal(before)}" if before is not None else ""
        statements.append(f"ALTER TYPE {name} ADD VALUE IF NOT EXISTS {literal(label)}{place}")
        known.append(label)
    return ";\n".join(statements)


def moved_type(column_type: str, user_type: UserType, schema: str) -> str:
    """The name of a column's type where its extension lives in another schema at the target."""
    for old in (f"{_printed(user_type.schema)}.", f"{quoted(user_type.schema)}."):
        for name in (_printed(user_type.name), quoted(user_type.name)):
            if re.match(re.escape(old + name) + r"(?![A-Za-z0-9_])", column_type):
                return f"{_printed(schema)}.{column_type[len(old) :]}"
    return column_type


def _printed(name: str) -> str:
    """As `format_type()` prints an ordinary name."""
    return name if _PLAIN.fullmatch(name) else quoted(name)


def schema_exists_sql(schema: str) -> str:
    return f"SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = {literal(schema)})"
