"""Taking a staged payload apart: its changes lie in a pool, numbered, and are applied some at a time. Pure SQL text.

The pool is filled from the target once, as it was before any of its changes; the merge statements then read the
pool through a view of the units that are being tried, so that a try costs one round trip and no copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rosetta.dialects.postgres.merge import version
from rosetta.dialects.postgres.merge_table import META_NAMES, MergeTable
from rosetta.dialects.postgres.text import literal, quoted

# Read once per statement: a setting in a plain condition would be parsed again for every row.
_PICKED = (
    "_n BETWEEN (SELECT current_setting('rosetta.first')::integer) AND "
    "(SELECT current_setting('rosetta.last')::integer) AND (SELECT current_setting('rosetta.units') = '{}') "
    "OR _n = ANY ((SELECT current_setting('rosetta.units')::integer[])::integer[])"
)
_OWN = ("_rosetta_lsn", "_rosetta_seq", "_rosetta_xid", "_rosetta_synced_at")


@dataclass(frozen=True, slots=True)
class Pool:
    """The merge's view of a pool.

    Attributes:
        whole: a `MergeTable` whose staging table is the pool itself.
        picked: one whose staging table is a view of the units that are being tried.
    """

    whole: MergeTable
    picked: MergeTable

    @property
    def name(self) -> str:
        return self.whole.staging


def pool_of(table: MergeTable, number: int) -> Pool:
    """Names for the `number`th pool of a transaction."""
    name = f"{table.staging}_{number}"
    return Pool(replace(table, staging=f"{name}_pool"), replace(table, staging=f"{name}_picked"))


def create_pool_sql(table: MergeTable, pool: Pool) -> str:
    """Makes the pool like `table`'s staging table; the server drops it, and the view of it, when the transaction ends.

    `_n` is the number of the unit that a change belongs to.
    """
    names = ", ".join((*META_NAMES, "_missing", "_moved", *table.staged()))
    return (
        f"CREATE TEMP TABLE {pool.name} (_n integer, LIKE {table.staging}) ON COMMIT DROP;\n"
        f"CREATE INDEX ON {pool.name} (_n);\n"
        f"CREATE TEMP VIEW {pool.picked.staging} AS SELECT {names} FROM {pool.name} WHERE {_PICKED}"
    )


def copy_pool_sql(pool: Pool) -> str:
    return f"COPY {pool.name} (_n, {', '.join((*META_NAMES, *pool.whole.staged()))}) FROM STDIN"


def pick_sql(units: Sequence[int], *, dense: bool) -> str:
    """Makes the view show `units`, in ascending order, until the savepoint under which it is said is undone.

    `dense`: the pool holds no other unit between the first and the last.
    """
    listed = "" if dense else ",".join(map(str, units))
    return (
        f"SET LOCAL rosetta.first = {units[0]}; SET LOCAL rosetta.last = {units[-1]}; "
        f"SET LOCAL rosetta.units = '{{{listed}}}'"
    )


def drop_picked_sql(pool: Pool) -> str:
    """Takes the units that the view shows out of the pool: they are applied."""
    return f"DELETE FROM {pool.picked.staging}"


def take_lacking_sql(pool: Pool) -> str:
    """Takes out the units that nothing filled, and answers their numbers."""
    lacking = f"SELECT _n FROM {pool.name} WHERE _unchanged IS NOT NULL AND _op <> 'd'"
    return f"WITH gone AS (DELETE FROM {pool.name} WHERE _n IN ({lacking}) RETURNING _n) SELECT DISTINCT _n FROM gone"


def replaceable_sql(table: MergeTable) -> str:
    """Whether rows may be deleted and inserted again: nothing else happens with their deletion.

    A foreign key to the table that cascades or sets values, a rule, or a trigger on its deletions would do more.
    """
    target = f"{literal(table.name)}::regclass"
    return (
        f"SELECT NOT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = {target} "
        "AND confdeltype IN ('c', 'n', 'd')) AND NOT EXISTS (SELECT FROM pg_trigger "
        f"WHERE tgrelid = {target} AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 8 = 8) "
        f"AND NOT EXISTS (SELECT FROM pg_rewrite WHERE ev_class = {target})"
    )


def replace_sql(table: MergeTable, others: Sequence[str]) -> str:
    """Deletes the target's older rows of the staged ones and inserts these, in one statement.

    So rows can hand a unique value around among them. `others` are columns that Rosetta does not write: they are kept.
    """
    kept = [quoted(name) for name in others]
    returned = [f"s.{name}" for name in ("_lsn", "_seq", "_xid", *table.staged())]
    returned += [f"t.{name} AS o{number}" for number, name in enumerate(kept)]
    values = [*table.staged(), "_lsn", "_seq", "_xid", "now()", *(f"o{number}" for number in range(len(kept)))]
    # Sorting takes in every deletion before the first row goes out again.
    return (
        f"WITH gone AS (DELETE FROM {table.name} t USING {table.staging} s "
        f"WHERE {table.equal(table.target_key('t.'), table.staged_key('s.'))} AND s._op <> 'd' "
        f"AND {version()} <= (s._lsn, s._seq) RETURNING {', '.join(returned)}) "
        f"INSERT INTO {table.name} ({', '.join((*table.names(), *_OWN, *kept))}) OVERRIDING SYSTEM VALUE "
        f"SELECT {', '.join(values)} FROM gone ORDER BY _lsn, _seq"
    )


def keep_only_sql(pool: Pool, units: Sequence[int]) -> str:
    """Takes all other units out of the pool."""
    return f"DELETE FROM {pool.name} WHERE _n NOT IN ({', '.join(map(str, units))})"


def take_out_sql(pool: Pool) -> str:
    """Deletes the target's older rows of all in the pool, to see what would be in the way without them."""
    table = pool.whole
    return (
        f"DELETE FROM {table.name} t USING {table.staging} s "
        f"WHERE {table.equal(table.target_key('t.'), table.staged_key('s.'))} AND s._op <> 'd' "
        f"AND {version()} <= (s._lsn, s._seq)"
    )
