"""One judge for every case: `rosetta verify`, the history of an appended table, and rows that went back."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, fields
from typing import Any, Final

from compute.tests.chaos.workload import APPENDED
from rosetta.local.postgres import PostgresCluster
from rosetta.secrets import Keyring
from rosetta.verification import Bounds, DifferenceKind, Outcome, TableReport
from rosetta.verification.pipeline import Selection, verify_pipelines

# Watches the target from inside its own transactions, whatever Rosetta's columns say: `rev` only rises per key.
WATCH: Final = """
CREATE SCHEMA chaos;
CREATE TABLE chaos.gone_back (at_table text, was bigint, became bigint);
CREATE TABLE chaos.buried (at_table text, key text, rev bigint, PRIMARY KEY (at_table, key));
CREATE FUNCTION chaos.key_of(line jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS
  $$ SELECT concat_ws('/', line->>'id', line->>'k1', line->>'k2') $$;
CREATE FUNCTION chaos.watch() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE last bigint;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    INSERT INTO chaos.gone_back VALUES (TG_TABLE_NAME, OLD.rev, NEW.rev);
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO chaos.buried AS b VALUES (TG_TABLE_NAME, chaos.key_of(to_jsonb(OLD)), OLD.rev)
      ON CONFLICT (at_table, key) DO UPDATE SET rev = greatest(b.rev, excluded.rev);
  ELSE
    SELECT rev INTO last FROM chaos.buried WHERE at_table = TG_TABLE_NAME AND key = chaos.key_of(to_jsonb(NEW));
    IF last >= NEW.rev THEN INSERT INTO chaos.gone_back VALUES (TG_TABLE_NAME, last, NEW.rev); END IF;
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION chaos.attach() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE made record;
BEGIN
  FOR made IN SELECT object_identity FROM pg_event_trigger_ddl_commands()
      WHERE command_tag = 'CREATE TABLE' AND object_identity IN ('public.items', 'public.pairs') LOOP
    EXECUTE format('CREATE TRIGGER chaos_update AFTER UPDATE ON %s FOR EACH ROW WHEN (NEW.rev < OLD.rev)'
      ' EXECUTE FUNCTION chaos.watch()', made.object_identity);
    EXECUTE format('CREATE TRIGGER chaos_rows AFTER INSERT OR DELETE ON %s FOR EACH ROW'
      ' EXECUTE FUNCTION chaos.watch()', made.object_identity);
  END LOOP;
END $$;
CREATE EVENT TRIGGER chaos_attach ON ddl_command_end EXECUTE FUNCTION chaos.attach();
"""


@dataclass
class Verdict:
    """What a case did to the data; all zero is the promise.

    Attributes:
        lost: rows or changes that the source committed and a target lacks.
        different: rows whose values differ, and rows that a target has and the source has not.
        duplicated: copies too many, of rows without a key and of changes in an appended table.
        gone_back: times a row was replaced by an older state of itself, or brought back after its deletion.
        orphans: processes, slots, sessions and tables that outlived the case.
        notes: what was found, in words, for whoever reads a failure.
    """

    lost: int = 0
    different: int = 0
    duplicated: int = 0
    gone_back: int = 0
    orphans: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not any(getattr(self, one.name) for one in fields(self))

    def count(self, what: str, number: int, note: str) -> None:
        if number:
            setattr(self, what, getattr(self, what) + number)
            self.notes.append(f"{what} {number}: {note}")


def compare(verdict: Verdict, config_url: str, secret: str, deadline_seconds: float) -> None:
    """`rosetta verify` of every pipeline, destination and table, row by row."""
    bounds = Bounds(deadline_seconds=deadline_seconds, jobs=2, max_differences=1000)
    for pipeline in verify_pipelines(config_url, Keyring.from_secret_key(secret), None, Selection(), bounds):
        verdict.count("different", int(pipeline.reason is not None), f"not compared: {pipeline.reason}")
        for destination in pipeline.destinations:
            verdict.count("different", int(destination.reason is not None), f"not compared: {destination.reason}")
            for table in destination.tables:
                _count_table(verdict, destination.destination, table)


def _count_table(verdict: Verdict, where: str, table: TableReport) -> None:
    name = f"{where} {table.target}"
    if table.source.name == APPENDED:
        return
    if table.outcome is Outcome.NOT_COMPARED or table.missing_columns or table.unsettled:
        verdict.count("different", 1, f"{name}: {table.reason or table.missing_columns or 'it did not come to rest'}")
    found: Counter[str] = Counter()
    for difference in table.differences:
        surplus = difference.target_copies - difference.source_copies
        if difference.kind is DifferenceKind.MISSING:
            found["lost"] += max(1, -surplus)
        elif difference.kind is DifferenceKind.EXTRA and difference.row_hash is not None:
            found["duplicated"] += max(1, surplus)
        else:
            found["different"] += 1
    shown = ", ".join(f"{one.kind.value} {'/'.join(one.key)} {list(one.columns)}" for one in table.differences[:3])
    for what, number in found.items():
        verdict.count(what, number, f"{name}: {shown}")


def read_history(verdict: Verdict, where: str, expected: Counter[Any], found: Counter[Any]) -> None:
    """Every committed change of the appended table is there, once."""
    verdict.count("lost", sum((expected - found).values()), f"{where} {APPENDED}: changes, {_some(expected - found)}")
    surplus = found - expected
    verdict.count("duplicated", sum(surplus.values()), f"{where} {APPENDED}: changes, {_some(surplus)}")


def _some(found: Counter[Any]) -> list[Any]:
    return sorted(found.items())[:3]


@dataclass(frozen=True)
class Start:
    """Where the appended table's changes are counted from: both ends stood still there."""

    number: int = 0
    lsn: int = 0


def history(cluster: PostgresCluster, database: str, start: Start) -> Counter[Any]:
    """Changes of the appended table at a target: (id, rev), or (id, None) for a deletion, of which only the key is."""
    query = (
        f"SELECT id, CASE WHEN _rosetta_op <> 'd' THEN rev END FROM {APPENDED}"
        " WHERE _rosetta_op <> 'r' AND _rosetta_lsn >= %s"
    )
    return _counted(cluster, database, query, start.lsn)


def committed(cluster: PostgresCluster, database: str, start: Start) -> Counter[Any]:
    """The same as the source committed it."""
    query = "SELECT id, CASE WHEN NOT deleted THEN rev END FROM audit.log WHERE n > %s"
    return _counted(cluster, database, query, start.number)


def gone_back(cluster: PostgresCluster, database: str) -> list[Any]:
    with closing(cluster.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT at_table, was, became FROM chaos.gone_back")
        return cursor.fetchall()


def _counted(cluster: PostgresCluster, database: str, query: str, value: int) -> Counter[Any]:
    with closing(cluster.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(query, (value,))
        return Counter(cursor.fetchall())
