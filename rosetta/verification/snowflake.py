"""A target that is a Snowflake account: its session, and its columns as texts that the source can write as well.

What Snowflake keeps in another form than the source printed (VARIANT, ARRAY) cannot be written alike on
both sides: of these columns it is only compared whether there is a value, and the report says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import snowflake.connector

from rosetta.dialects.postgres.checksum import ORDERED_TYPES, ComparedColumn, ComparedTable
from rosetta.dialects.postgres.table_facts import TableFacts
from rosetta.dialects.snowflake import checksum
from rosetta.dialects.snowflake.names import Naming, quoted
from rosetta.dialects.snowflake.portable import PortableText, TargetValue, portable_text
from rosetta.dialects.snowflake.tables import columns_sql
from rosetta.errors import RosettaError
from rosetta.snowflake import Patience, SnowflakeEndpoint, connect, translate_error
from rosetta.types.schema import TableSchema
from rosetta.types.widening import split_type
from rosetta.verification.dialect import Dialect
from rosetta.verification.pairing import MatchedColumns, PairedTables, match_columns, source_condition
from rosetta.verification.request import Bounds, TablePair
from rosetta.verification.session import Rows, Session

_RAW: Final = "_ROSETTA_RAW"
_SOFT_DELETED: Final = "_ROSETTA_DELETED"

# Of each column of the target by its name: type and scale.
_Types = Mapping[str, tuple[str, int]]


class SnowflakeSession(Session):
    """A side that is an account; each statement takes the destination's warehouse."""

    dialect: Dialect = checksum

    def __init__(self, endpoint: SnowflakeEndpoint, naming: Naming, bounds: Bounds) -> None:
        super().__init__(bounds)
        self._endpoint = endpoint
        self._naming = naming
        patience = Patience(statement=bounds.statement_timeout_seconds)
        session = {"QUERY_TAG": "rosetta verify"}
        self._connection = connect(endpoint, application="Rosetta", patience=patience, session=session)

    def rows(self, sql: str) -> Rows:
        timeout_seconds = self.check_time()
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, timeout=max(1, round(timeout_seconds)))
                return [tuple(row) for row in cursor.fetchall()]
        except snowflake.connector.errors.Error as error:
            self.check_time()
            raise translate_error(error, f"verifying on {self._endpoint}") from None

    def paired(self, pair: TablePair, schema: TableSchema, source: TableFacts) -> PairedTables | None:
        found = self.rows(columns_sql(self._naming.table(pair.target)))
        types = {name: (kind, int(scale or 0)) for name, kind, _precision, scale in found}
        return pair_with_account(pair, schema, source, types, self._naming) if types else None

    def cancel(self) -> None:
        """Asks for it; a statement that goes on ends with its time."""
        with suppress(RosettaError):
            self.rows(f"SELECT SYSTEM$CANCEL_ALL_QUERIES({self._connection.session_id})")

    def close(self) -> None:
        self._connection.close()


def pair_with_account(
    pair: TablePair, schema: TableSchema, source: TableFacts, target: _Types, naming: Naming
) -> PairedTables:
    """A table of PostgreSQL and one of an account, of which `target` has the columns."""
    matched = match_columns(pair, schema, source.types, lambda name: naming.name(name) in target)
    texts = _texts(pair, schema, source, target, matched, naming)
    mine = {name: ComparedColumn(name, source.types[name], text.source) for name, text in texts.items()}
    theirs = {name: ComparedColumn(naming.name(matched.names[name]), "", text.target) for name, text in texts.items()}
    key = matched.usable_key
    return PairedTables(
        pair=pair,
        source=ComparedTable(
            schema.table,
            tuple(mine.values()),
            tuple(mine[name] for name in key),
            all(mine[name].sql is None and mine[name].type in ORDERED_TYPES for name in key),
            source.partitioned,
            source_condition(pair),
            portable=True,
        ),
        target=ComparedTable(
            naming.table(pair.target),
            tuple(theirs.values()),
            tuple(theirs[name] for name in key),
            typed_key=True,  # that many at once do
            condition=f"NOT t.{quoted(_SOFT_DELETED)}" if _SOFT_DELETED in target else None,
            portable=True,
        ),
        columns=tuple(mine),
        key=matched.key,
        ranged=False,  # every range would be another look at all of the table's partitions
        missing_columns=matched.missing + matched.absent_key,
        uncompared_columns=tuple(name for name, text in texts.items() if not text.whole),
    )


def _texts(
    pair: TablePair, schema: TableSchema, source: TableFacts, target: _Types, matched: MatchedColumns, naming: Naming
) -> dict[str, PortableText]:
    declared = {column.name: column.type for column in schema.columns}
    texts = {}
    for name, renamed in matched.names.items():
        there = naming.name(renamed)
        family, scale = target[there]
        raw = f"CAST(t.{quoted(_RAW)}:{quoted(there)} AS VARCHAR)" if _RAW in target else None
        column = ComparedColumn(name, source.types[name], pair.masked.get(name))
        limits = split_type(declared.get(name, ""))[1]
        texts[name] = portable_text(column, limits, TargetValue(f"t.{quoted(there)}", family, scale, raw))
    return texts
