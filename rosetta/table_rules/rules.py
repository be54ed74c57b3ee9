"""The rules of a table sync: read from its row, checked against a table, and what the table becomes by them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from rosetta.errors import ConfigurationError
from rosetta.filters import Condition, check_filters, parse_filters
from rosetta.table_rules.masking import REDACTED, MaskingKey, MaskKind
from rosetta.types import Column, TableSchema

_INVALID: Final = "TABLE_RULES_INVALID"
_FINGERPRINT_CHARACTERS: Final = 16


@dataclass(frozen=True, slots=True)
class TableRules:
    """What a table sync asks for beyond a plain copy of its table.

    Attributes:
        columns: target name by source name of the columns that are sent; None: all there are, and will be.
        masks: by source name.
        filters: conditions that a row must meet to be sent, all of them; on any column, sent or not, before masking.
        custom_sql: a statement that says all of that instead (`rosetta.custom_sql`), and stands alone.
    """

    columns: Mapping[str, str] | None = None
    masks: Mapping[str, MaskKind] = field(default_factory=dict)
    filters: tuple[Condition, ...] = ()
    custom_sql: str | None = None

    @classmethod
    def parse(cls, columns: object, masks: object, filters: object, custom_sql: str | None = None) -> TableRules:
        """The rules as `table_syncs` has them (`columns`, `masks`, `filters`, `custom_sql`).

        Raises ConfigurationError for what is no rule. That they fit a table, `check` says.
        """
        if not isinstance(filters, list | tuple | None):
            raise _invalid("filters are a list", "Give filters as a list of conditions.")
        rules = cls(_columns(columns), _masks(masks), parse_filters(list(filters or ())), custom_sql or None)
        if rules.custom_sql is not None and replace(rules, custom_sql=None):
            raise _invalid(
                "custom_sql stands alone, without columns, masks and filters",
                "Choose, rename, compute and filter in the statement: SELECT ... FROM batch WHERE ...",
            )
        return rules

    def __bool__(self) -> bool:
        return self.columns is not None or bool(self.masks) or bool(self.filters) or self.custom_sql is not None

    @property
    def fingerprint(self) -> str:
        """The same for the same rules, and another for others."""
        said: dict[str, Any] = {
            "columns": None if self.columns is None else sorted(self.columns.items()),
            "masks": sorted(self.masks.items()),
            "filters": sorted(str(condition) for condition in self.filters),
        }
        if self.custom_sql is not None:
            said["custom_sql"] = self.custom_sql
        return hashlib.sha256(orjson.dumps(said)).hexdigest()[:_FINGERPRINT_CHARACTERS]

    def target_name(self, column: str) -> str | None:
        """What a source's column is called at the target; None for one that is not sent."""
        return column if self.columns is None else self.columns.get(column)

    def needed(self, key: Sequence[str]) -> set[str]:
        """Columns without which no change of a table with `key` can be told by."""
        return {*key, *(condition.column for condition in self.filters)}

    def check(self, schema: TableSchema) -> None:
        """Raises ConfigurationError, with what to do, unless the rules fit the table."""
        names = schema.column_names
        unknown = sorted((set(self.columns or ()) | set(self.masks)) - set(names))
        if unknown:
            raise _invalid(
                f"{schema.table} has no column {', '.join(unknown)}",
                f"Name columns that it has and that are not generated: {', '.join(names)}.",
            )
        unsent = [name for name in schema.key if self.target_name(name) is None]
        if unsent:
            raise _invalid(
                f"the key of {schema.table} is not selected: {', '.join(unsent)}",
                "Select every column of the key: without it no row of the target can be found again.",
            )
        unsent = sorted(name for name in self.masks if self.target_name(name) is None)
        if unsent:
            raise _invalid(f"{', '.join(unsent)} is masked, but not selected", "Select it, or leave its mask out.")
        bare = sorted(name for name in schema.key if self.masks.get(name, MaskKind.HASH) is not MaskKind.HASH)
        if bare:
            raise _invalid(
                f"{', '.join(bare)} is part of the key of {schema.table}: its values have to stay different",
                "Mask columns of the key by hash, or not at all.",
            )
        check_filters(schema, self.filters)

    def output(self, schema: TableSchema, key: MaskingKey) -> TableSchema:
        """The table as its target has it: the columns that are sent, in the source's order, renamed, of their types."""
        columns = tuple(
            replace(self._masked(column, key), name=name)
            for column in schema.columns
            if (name := self.target_name(column.name)) is not None
        )
        return replace(
            schema, columns=columns, key=self._names(schema.key), primary_key=self._names(schema.primary_key)
        )

    def _masked(self, column: Column, key: MaskingKey) -> Column:
        mask = self.masks.get(column.name)
        if mask is None:
            return column
        if mask is MaskKind.NULL:
            return replace(column, nullable=True, missing=None)
        missing = column.missing
        if missing is not None:
            missing = key.mask(missing) if mask is MaskKind.HASH else REDACTED
        return replace(column, type="text", user_types=(), nondeterministic=False, missing=missing)

    def _names(self, columns: Sequence[str]) -> tuple[str, ...]:
        names = tuple(self.target_name(name) for name in columns)
        return tuple(name for name in names if name is not None)


def _columns(value: object) -> Mapping[str, str] | None:
    if value is None:
        return None
    pairs = list(value.items()) if isinstance(value, Mapping) else [(name, name) for name in _listed(value)]
    if not pairs or not all(isinstance(name, str) and name for pair in pairs for name in pair):
        raise _invalid(
            "columns are a list of names, or an object of target names by source names",
            'Give at least one column, for example ["id", "email"] or {"id": "id", "email": "contact"}.',
        )
    targets = [target for _, target in pairs]
    twice = sorted({target for target in targets if targets.count(target) > 1})
    if twice:
        raise _invalid(f"two columns would be called {', '.join(twice)} at the target", "Give each its own name.")
    reserved = sorted(target for target in targets if target.startswith("_rosetta_"))
    if reserved:
        raise _invalid(f"{', '.join(reserved)}: such names are Rosetta's own", "Choose another target name.")
    return dict(pairs)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _masks(value: object) -> Mapping[str, MaskKind]:
    known = ", ".join(kind.value for kind in MaskKind)
    if not isinstance(value, Mapping | None):
        raise _invalid("masks are an object of kinds by column", f"The kinds are {known}.")
    try:
        return {str(name): MaskKind(kind) for name, kind in (value or {}).items()}
    except ValueError:
        raise _invalid("there is no such mask", f"The kinds are {known}.") from None


def _invalid(message: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(message, code=_INVALID, remedy=remedy)
