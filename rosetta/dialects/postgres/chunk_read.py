"""Reading a table in ranges of its key, in the order of the key's own index. Pure SQL text.

Operators are spelled out from the index's operator family, so that they are right whatever the search path
is (a citext key compared by text's operators would skip rows), and key values are typed literals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rosetta.dialects.postgres.checksum import ComparedColumn
from rosetta.dialects.postgres.text import literal, qualified, quoted
from rosetta.identifiers import TableId
from rosetta.types import TableSchema

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """One column of a key.

    Attributes:
        type: what a literal is cast to before it is compared, and the column too where its type is a domain.
        less, less_equal, equal, greater, greater_equal: `OPERATOR(schema.name)` of the type's B-tree order.
        portable: every PostgreSQL server orders such values alike. Text is not: its order is the collation's.
        target_name: what the target calls it; None: the same.
        mask: what gives the text that the target has instead, of a row `t`; None: the value itself.
    """

    name: str
    type: str
    less: str
    less_equal: str
    equal: str
    greater: str
    greater_equal: str
    portable: bool
    domain: bool
    enum: bool
    target_name: str | None = None
    mask: str | None = None

    @property
    def expression(self) -> str:
        """The column as it is compared: operators of enums and the like do not see through a domain."""
        return f"CAST({quoted(self.name)} AS {self.type})" if self.domain else quoted(self.name)


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """How a table is read.

    Attributes:
        columns: names at the target, in the order of the lines that are read.
        key: empty: the table is read in one piece.
        selected: what gives each of `columns`; None: the source's columns of these names.
        condition: what holds for the rows that are read, of a row `t`; None: all are.
        by_pages: a table without a key is read in ranges of its pages, see `pages_sql`.
    """

    table: TableId
    columns: tuple[str, ...]
    key: tuple[KeyColumn, ...]
    partitioned: bool
    selected: tuple[ComparedColumn, ...] | None = None
    condition: str | None = None
    by_pages: bool = False

    @property
    def cursor_width(self) -> int:
        """Of how many texts a place in the table is made; 0: it is read in one piece."""
        return 2 if self.by_pages else len(self.key)

    @property
    def portable(self) -> bool:
        """Whether a target finds the same rows between two keys as the source does."""
        return all(column.portable and column.mask is None for column in self.key)

    @property
    def reads_key(self) -> bool:
        """Whether the last line of a full chunk tells where its range ends: no row is left out, no key is masked."""
        return self.condition is None and all(column.mask is None for column in self.key)

    @property
    def key_positions(self) -> tuple[int, ...]:
        return tuple(self.columns.index(column.target_name or column.name) for column in self.key)


def key_columns_sql(schema: TableSchema) -> str:
    """One jsonb value: the key's columns in order; fewer than the key has when the table changed meanwhile."""
    names = ", ".join(literal(name) for name in schema.key)
    return f"""
SELECT COALESCE(jsonb_agg(jsonb_build_object(
    'name', a.attname,
    'type', format_type(CASE WHEN o.typtype = 'p' THEN base.oid ELSE o.oid END, -1),
    'domain', base.oid <> a.atttypid,
    'enum', base.typtype = 'e',
    -- jsonb orders its texts by a collation although it has none
    'portable', a.attcollation = 0 AND base.typtype = 'b' AND base.typnamespace = 'pg_catalog'::regnamespace
        AND base.typname NOT IN ('jsonb', '_jsonb'),
    'operators', (
        SELECT jsonb_object_agg(x.amopstrategy, format('OPERATOR(%I.%s)', pn.nspname, p.oprname))
        FROM pg_amop x JOIN pg_operator p ON p.oid = x.amopopr JOIN pg_namespace pn ON pn.oid = p.oprnamespace
        WHERE x.amopfamily = d.opcfamily AND x.amoplefttype = d.opcintype AND x.amoprighttype = d.opcintype))
    ORDER BY part.place), '[]')
FROM (
    SELECT i.* FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = {literal(schema.table.schema)} AND c.relname = {literal(schema.table.name)}
      AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
      AND ARRAY[{names}]::name[] = ARRAY(
        SELECT a.attname FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
        WHERE k.place <= i.indnkeyatts ORDER BY k.place)
    ORDER BY i.indisprimary DESC, i.indisreplident DESC LIMIT 1) AS i
CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY AS part (number, class, place)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = part.number
JOIN pg_opclass k ON k.oid = part.class
JOIN pg_opclass d ON d.opcmethod = k.opcmethod AND d.opcintype = k.opcintype AND d.opcdefault
JOIN pg_type o ON o.oid = d.opcintype
CROSS JOIN LATERAL (
    WITH RECURSIVE chain AS (
        SELECT t.* FROM pg_type t WHERE t.oid = a.atttypid
        UNION ALL
        SELECT t.* FROM chain JOIN pg_type t ON t.oid = chain.typbasetype WHERE chain.typtype = 'd'
    )
    SELECT * FROM chain WHERE chain.typtype <> 'd') AS base
WHERE part.place <= i.indnkeyatts"""


def parse_key_columns(value: Sequence[Mapping[str, Any]]) -> tuple[KeyColumn, ...]:
    return tuple(_key_column(column) for column in value)


def _key_column(value: Mapping[str, Any]) -> KeyColumn:
    # B-tree strategies: 1 <, 2 <=, 3 =, 4 >=, 5 >
    operators = value["operators"]
    return KeyColumn(
        name=value["name"],
        type=value["type"],
        less=operators["1"],
        less_equal=operators["2"],
        equal=operators["3"],
        greater=operators["5"],
        greater_equal=operators["4"],
        portable=value["portable"],
        domain=value["domain"],
        enum=value["enum"],
    )


def read_chunk_sql(plan: ReadPlan, lower: Key | None, upper: Key | None, rows: int | None = None) -> str:
    """COPY of the first `rows` (None: all) rows of `lower < key <= upper`, in the order of the key; None is open."""
    limit = "" if rows is None else f" LIMIT {rows}"
    return (
        f"COPY (SELECT {_select_list(plan)} FROM {passing_from(plan, lower, upper)} "
        f"ORDER BY {key_order(plan)}{limit}) TO STDOUT"
    )


def key_order(plan: ReadPlan) -> str:
    """What ORDER BY takes to follow the key's index."""
    return ", ".join(f"{column.expression} USING {column.less}" for column in plan.key)


def range_from(plan: ReadPlan, lower: Key | None, upper: Key | None) -> str:
    """The table as `t`, and a WHERE for `lower < key <= upper`; None is open. Every row counts."""
    return _where(plan, _bounds(plan, lower, upper))


def passing_from(plan: ReadPlan, lower: Key | None, upper: Key | None) -> str:
    """As `range_from`, of the rows that meet the plan's condition."""
    return _where(plan, [*_bounds(plan, lower, upper), *_condition(plan)])


def read_table_sql(plan: ReadPlan, pages: tuple[int, int] | None = None) -> str:
    """COPY of the whole table, in whatever order it lies; or of its pages from the first up to the second number."""
    within = [] if pages is None else [f"t.ctid >= '({pages[0]},0)'::tid AND t.ctid < '({pages[1]},0)'::tid"]
    return f"COPY (SELECT {_select_list(plan)} FROM {_where(plan, [*within, *_condition(plan)])}) TO STDOUT"


def read_keys_sql(plan: ReadPlan, keys: Sequence[Key]) -> str:
    """COPY of the rows with one of `keys`, as the target has them: a masked key is looked for by its mask."""
    wanted = " OR ".join(f"({_is(plan.key, key)})" for key in keys)
    return f"COPY (SELECT {_select_list(plan)} FROM {_where(plan, [f'({wanted})', *_condition(plan)])}) TO STDOUT"


def estimate_sql(plan: ReadPlan, exact_rows: int) -> str:
    """How many rows the table has: counted up to `exact_rows`, beyond that estimated by the server."""
    name = literal(qualified(plan.table))
    return f"""
SELECT CASE WHEN counted.rows <= {exact_rows} THEN counted.rows ELSE GREATEST(counted.rows, (
    SELECT sum(GREATEST(c.reltuples, 0))::bigint FROM pg_class c
    WHERE c.oid = {name}::regclass AND c.relkind = 'r'
       OR c.oid IN (SELECT relid FROM pg_partition_tree({name}::regclass) WHERE isleaf))) END
FROM (SELECT count(*) AS rows FROM (SELECT FROM {_from(plan)} LIMIT {exact_rows + 1}) AS bounded) AS counted"""


def planned_rows_sql(plan: ReadPlan) -> str:
    """EXPLAIN, as JSON, of reading every row that passes: how many the server expects."""
    return f"EXPLAIN (FORMAT JSON) SELECT FROM {passing_from(plan, None, None)}"


def writers_sql(table: TableId) -> str:
    """The transactions that have written to the table, or may have, and are not over for everybody yet.

    A transaction keeps its locks until every new snapshot sees its end, so one that is in the log already but
    not yet visible is among them.
    """
    name = literal(qualified(table))
    return f"""
SELECT DISTINCT l.virtualtransaction FROM pg_locks l
WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  AND (l.relation = {name}::regclass OR l.relation IN (SELECT relid FROM pg_partition_tree({name}::regclass)))"""


def storage_sql(table: TableId) -> str:
    """Which files hold the table's rows: TRUNCATE, which a snapshot does not see, gives it new ones."""
    return f"SELECT {_STORAGE} FROM {_parts(table)}"


def pages_sql(table: TableId) -> str:
    """The table's files as `storage_sql` says, how many pages the longest has, and rows in a page, by the statistics.

    Where a row lies in its file (`ctid`) is a key that every table has, until its row is updated, which the stream
    tells, or its file is written anew (VACUUM FULL, TRUNCATE), which the files' names tell. A range of pages is that
    of every partition at once.
    """
    return f"""
SELECT {_STORAGE}, max(pg_relation_size(relid)) / current_setting('block_size')::bigint,
    (sum(GREATEST(c.reltuples, 0)) / GREATEST(sum(c.relpages), 1))::float8
FROM {_parts(table)} JOIN pg_class c ON c.oid = relid"""


def has_pages_sql(table: TableId) -> str:
    """Whether ranges of the table's pages can be read: by scans of PostgreSQL 14 and newer, of heaps."""
    return f"""
SELECT current_setting('server_version_num')::int >= 140000
    AND bool_and(c.relkind = 'p' OR c.relkind = 'r' AND m.amname = 'heap')
FROM {_parts(table)} JOIN pg_class c ON c.oid = relid LEFT JOIN pg_am m ON m.oid = c.relam"""


_STORAGE = "COALESCE(string_agg(relid::oid || ':' || pg_relation_filenode(relid), ',' ORDER BY relid::oid), '')"


def _parts(table: TableId) -> str:
    name = literal(qualified(table))
    return f"(SELECT {name}::regclass AS relid UNION SELECT relid FROM pg_partition_tree({name}::regclass)) AS parts"


def _select_list(plan: ReadPlan) -> str:
    if plan.selected is None:
        return ", ".join(quoted(name) for name in plan.columns)
    # ORDER BY would take a name that an expression happens to get for the column of the key that is called so
    return ", ".join(
        f"t.{quoted(column.name)}" if column.sql is None else f"{column.sql} AS _rosetta_{number}"
        for number, column in enumerate(plan.selected)
    )


def _where(plan: ReadPlan, conditions: Sequence[str]) -> str:
    return f"{_from(plan)} AS t" + (f" WHERE {' AND '.join(conditions)}" if conditions else "")


def _bounds(plan: ReadPlan, lower: Key | None, upper: Key | None) -> list[str]:
    bounds = [_behind(plan.key, lower)] if lower is not None else []
    return bounds if upper is None else [*bounds, _up_to(plan.key, upper)]


def _condition(plan: ReadPlan) -> list[str]:
    return [] if plan.condition is None else [plan.condition]


def _from(plan: ReadPlan) -> str:
    # rows of tables that merely inherit from this one are published as theirs, not as its own
    return ("" if plan.partitioned else "ONLY ") + qualified(plan.table)


def _values(key: Sequence[KeyColumn], texts: Key) -> list[str]:
    return [f"CAST({literal(text)} AS {column.type})" for column, text in zip(key, texts, strict=True)]


def _is(key: Sequence[KeyColumn], texts: Key) -> str:
    return " AND ".join(map(_equals, key, texts, _values(key, texts)))


def _equals(column: KeyColumn, text: str, value: str) -> str:
    if column.mask is not None:
        return f"{column.mask} = {literal(text)}"
    # a label that the source does not have would be no value of the type
    return (
        f"{column.expression}::text = {literal(text)}" if column.enum else f"{column.expression} {column.equal} {value}"
    )


def _behind(key: Sequence[KeyColumn], lower: Key) -> str:
    """Whether a row's key is greater than `lower`: one row comparison, where the columns share an operator."""
    names, values = [column.expression for column in key], _values(key, lower)
    if len({column.greater for column in key}) == 1:
        return f"({', '.join(names)}) {key[0].greater} ({', '.join(values)})"
    text = ""
    for column, name, value in reversed(list(zip(key, names, values, strict=True))):
        beyond = f"{name} {column.greater} {value}"
        text = f"({beyond} OR ({name} {column.equal} {value} AND {text}))" if text else beyond
    # an index can start at the first column's bound, which follows from the rest
    return f"{names[0]} {key[0].greater_equal} {values[0]} AND {text}"


def _up_to(key: Sequence[KeyColumn], upper: Key) -> str:
    """Whether a row's key is at most `upper`, as `_behind` tells the other end."""
    names, values = [column.expression for column in key], _values(key, upper)
    if len({column.less_equal for column in key}) == 1:
        return f"({', '.join(names)}) {key[0].less_equal} ({', '.join(values)})"
    text = ""
    for column, name, value in reversed(list(zip(key, names, values, strict=True))):
        if text:
            text = f"({name} {column.less} {value} OR ({name} {column.equal} {value} AND {text}))"
        else:
            text = f"{name} {column.less_equal} {value}"
    return f"{names[0]} {key[0].less_equal} {values[0]} AND {text}"
