"""The target table, its staging table and its side tables, as the merge statements name them."""

from __future__ import annotations

from dataclasses import dataclass

from rosetta.dialects.merge_table import MergedTable
from rosetta.dialects.postgres.target_facts import TargetColumn, TargetTable
from rosetta.dialects.postgres.text import literal, qualified, quoted

OWN_SCHEMA = "_rosetta"
# META_COLUMNS, then what filling finds out: columns that nobody has brought yet, and since when.
_META = '_op "char", _lsn bigint, _seq bigint, _xid bigint, _ts bigint, _unchanged bit varying, _from text[]'
_FILLING = "_missing text[], _moved bigint"
META_NAMES = ("_op", "_lsn", "_seq", "_xid", "_ts", "_unchanged", "_from")


@dataclass(frozen=True, slots=True)
class MergeTable(MergedTable[TargetColumn]):
    """As PostgreSQL writes it."""

    @property
    def name(self) -> str:
        return qualified(self.target)

    @property
    def held(self) -> str:
        """Changes of a table without a key, held back until its copy is there."""
        return self.side_table("held")

    def side_table(self, kind: str) -> str:
        return _side_table(kind, self.copy_name)

    def staged(self, prefix: str = "") -> tuple[str, ...]:
        return tuple(f"{prefix}c{number}" for number in range(1, len(self.columns) + 1))

    def names(self, prefix: str = "") -> tuple[str, ...]:
        return tuple(prefix + quoted(column.name) for column in self.columns)

    def staged_key(self, prefix: str = "") -> tuple[str, ...]:
        return tuple(f"{prefix}c{position + 1}" for position in self.key)

    def target_key(self, prefix: str = "") -> tuple[str, ...]:
        return tuple(prefix + quoted(self.columns[position].name) for position in self.key)

    def side_key(self, prefix: str = "") -> tuple[str, ...]:
        """Key columns of the side tables."""
        return tuple(f"{prefix}k{number}" for number in range(1, len(self.key) + 1))

    def equal(self, left: tuple[str, ...], right: tuple[str, ...]) -> str:
        """`left` is the same key as `right`, by the operators of the target's own index."""
        pairs = zip(self.key, left, right, strict=True)
        return " AND ".join(f"{a} {self._equal(position)} {b}" for position, a, b in pairs)

    def _equal(self, position: int) -> str:
        order = self.columns[position].order
        if order is None:
            raise ValueError(f"{self.columns[position].name} is not part of a unique index")
        return order.equal

    def typed(self, position: int, expression: str) -> str:
        """Text as a value of a column's type, compared as the column is."""
        column = self.columns[position]
        return f"CAST({expression} AS {column.base_type}){column.collation}"

    def from_key(self, prefix: str = "s.") -> tuple[str, ...]:
        """The key in `_from`, typed."""
        return tuple(self.typed(position, f"{prefix}_from[{number}]") for number, position in enumerate(self.key, 1))

    def staged_declaration(self) -> str:
        pairs = zip(self.staged(), self.columns, strict=True)
        return ", ".join(f"{name} {column.base_type}{column.collation}" for name, column in pairs)

    def side_key_declaration(self) -> str:
        pairs = zip(self.side_key(), self.key, strict=True)
        return ", ".join(f"{name} {self.columns[p].base_type}{self.columns[p].collation}" for name, p in pairs)


def merge_table(
    table: TargetTable, columns: tuple[str, ...], key: tuple[str, ...], staging: str, copy_name: str, *, soft: bool
) -> MergeTable:
    """A `MergeTable` for a payload of `columns`. Raises KeyError when the target lacks one of them."""
    chosen = tuple(table.columns[name] for name in columns)
    positions = tuple(columns.index(name) for name in key)
    return MergeTable(table.table, staging, chosen, positions, soft, copy_name)


def create_staging_sql(table: MergeTable) -> str:
    body = ", ".join(part for part in (_META, _FILLING, table.staged_declaration()) if part)
    return f"CREATE TEMP TABLE {table.staging} ({body}) ON COMMIT DELETE ROWS"


def copy_changes_sql(table: MergeTable) -> str:
    return f"COPY {table.staging} ({', '.join((*META_NAMES, *table.staged()))}) FROM STDIN"


def copy_rows_sql(table: MergeTable) -> str:
    return f"COPY {table.staging} ({', '.join(table.staged())}) FROM STDIN"


def copy_keys_sql(table: MergeTable) -> str:
    """Rows of which only the key counts, each with a number in `_seq`."""
    return f"COPY {table.staging} (_seq, {', '.join(table.staged_key())}) FROM STDIN"


def start_copy_sql(table: MergeTable) -> str:
    """Creates the side tables of a copy; what an interrupted copy left in them is kept."""
    if not table.key:
        return (
            f'CREATE TABLE IF NOT EXISTS {table.held} (_op "char", _lsn bigint, _seq bigint, _xid bigint, '
            f"{table.staged_declaration()}, PRIMARY KEY (_lsn, _seq))"
        )
    declaration, names = table.side_key_declaration(), ", ".join(table.side_key())
    return (
        f"CREATE TABLE IF NOT EXISTS {table.tombstones} "
        f"({declaration}, _lsn bigint, _seq bigint, _xid bigint, PRIMARY KEY ({names}));\n"
        f"CREATE TABLE IF NOT EXISTS {table.unfilled} "
        f"({declaration}, _columns text[], _moved bigint, PRIMARY KEY ({names}))"
    )


def drop_copy_sql(copy_name: str) -> str:
    """Forgets a finished copy."""
    return f"DROP TABLE IF EXISTS {', '.join(side_tables(copy_name))}"


def side_tables(copy_name: str) -> tuple[str, ...]:
    """Tombstones, unfilled rows and held changes of a copy, of which none need exist."""
    return tuple(_side_table(kind, copy_name) for kind in ("tombstones", "unfilled", "held"))


def _side_table(kind: str, copy_name: str) -> str:
    return f"{OWN_SCHEMA}.{quoted(f'{kind}_{copy_name}')}"


def copy_open_sql(table: MergeTable) -> str:
    """Whether the side tables of a copy exist."""
    name = table.tombstones if table.key else table.held
    return f"SELECT to_regclass({literal(name)}) IS NOT NULL"
