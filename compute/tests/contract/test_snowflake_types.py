"""Values of each named type, as PostgreSQL prints them, loaded and read back: by a change, by a copy, and unchanged."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pytest

from compute.destinations.snowflake.destination import SnowflakeDestination
from compute.destinations.snowflake.values import prepare, raw_texts, read_fields
from compute.tests.contract.changes import UNCHANGED, Change, batch, changes, chunk, schema, target
from compute.tests.support.snowflake_double import ROOT, SnowflakeDouble
from rosetta.dialects.snowflake.types import Form
from rosetta.types import Column, TableSchema, UserType

RAW: Final = object()  # NULL at the target, and its text beside it
HSTORE = UserType("public", "hstore", "extension", ("hstore",))
VECTOR = UserType("public", "vector", "extension", ("vector",))
CENTS = UserType("public", "cents", "domain", ("numeric(12,2)",))
# By type: the source's texts with what Snowflake then has. Texts of columns in `JSON` are compared as JSON.
CASES: Final[dict[str, list[tuple[str, Any]]]] = {
    "smallint": [("-32768", -32768), ("32767", 32767)],
    "integer": [("0", 0), ("-2147483648", -2147483648)],
    "bigint": [("9223372036854775807", 9223372036854775807), ("1000000", 1000000)],
    "oid": [("4294967295", 4294967295), ("0", 0)],
    "real": [("1.1", 1.1), ("Infinity", float("inf"))],
    "double precision": [("1.7976931348623157e+308", 1.7976931348623157e308), ("-Infinity", float("-inf"))],
    "numeric(10,2)": [("86695.27", Decimal("86695.27")), ("NaN", RAW)],
    "numeric(5,-3)": [("-99999000", -99999000), ("0", 0)],
    "numeric": [("-" + "9" * 60 + ".5", "-" + "9" * 60 + ".5"), ("NaN", "NaN")],
    "money": [("-$92,233,720,368,547,758.08", Decimal("-92233720368547758.08")), ("$0.10", Decimal("0.10"))],
    "boolean": [("t", True), ("f", False)],
    "bit(1)": [("1", True), ("0", False)],
    "bit(11)": [("10000000001", "10000000001"), ("00000000000", "00000000000")],
    "bit varying": [("", ""), ("0110", "0110")],
    "text": [("a\tb\nc\r\\d\x01", "a\tb\nc\r\\d\x01"), ("", "")],
    "character varying(5)": [("ünï😀", "ünï😀"), ("\\N", "\\N")],
    "character(5)": [("ab   ", "ab   "), ("     ", "     ")],
    "public.citext": [("MiXed", "MiXed"), ("ß", "ß")],
    "public.ltree": [("Top.Science", "Top.Science"), ("", "")],
    "xml": [("<a>b &amp; c</a>", "<a>b &amp; c</a>"), ("", "")],
    "bytea": [("\\xdeadbeef5c5c0a0d09", bytes.fromhex("deadbeef5c5c0a0d09")), ("\\x", b"")],
    "json": [('{"a": 1,  "b": [null]}', {"a": 1, "b": [None]}), ("null", None)],
    "jsonb": [("1" + "0" * 300, "1" + "0" * 300), ('"é"', "é")],
    "uuid": [("00000000-0000-0000-0000-000000000000",) * 2, ("ffffffff-ffff-ffff-ffff-ffffffffffff",) * 2],
    "date": [("2024-02-29", date(2024, 2, 29)), ("4713-01-01 BC", RAW)],
    "time without time zone": [("23:59:59.999999", time(23, 59, 59, 999999)), ("24:00:00", RAW)],
    "time with time zone": [("00:00:00+15:59", "00:00:00+15:59"), ("24:00:00-15:59", "24:00:00-15:59")],
    "timestamp without time zone": [
        ("2024-02-29 12:34:56.123456", datetime.fromisoformat("2024-02-29T12:34:56.123456")),
        ("294276-12-31 23:59:59.999999", RAW),
    ],
    "timestamp with time zone": [
        ("2024-07-01 10:00:00.000001+00", datetime(2024, 7, 1, 10, 0, 0, 1, UTC)),
        ("-infinity", RAW),
    ],
    "interval": [("1 year 2 mons -3 days 04:05:06.789",) * 2, ("-00:00:00.000001",) * 2],
    "integer[]": [("{1,NULL,-3}", [1, None, -3]), ("{{1,2},{NULL,4}}", [[1, 2], [None, 4]])],
    "text[]": [('{"",NULL,"NULL","a,b","q\\"\\\\"}', ["", None, "NULL", "a,b", 'q"\\']), ("{123}", ["123"])],
    "boolean[]": [("{t,f,NULL}", [True, False, None]), ("{}", [])],
    "double precision[]": [("{1.5,NaN}", [1.5, "NaN"]), ("{}", [])],
    "public.hstore": [('"a"=>"1", "b"=>NULL', {"a": "1", "b": None}), ("", {})],
    "public.vector": [("[1,2.5,-3]", [1, 2.5, -3]), ("[0]", [0])],
    "public.mood": [("so 'so'",) * 2, ("ok, fine",) * 2],
    "public.cents": [("9999999999.99", Decimal("9999999999.99")), ("Infinity", RAW)],
    "inet": [("fe80::1/64",) * 2, ("0.0.0.0/0",) * 2],
    "cidr": [("10.0.0.0/8",) * 2, ("::/0",) * 2],
    "macaddr": [("08:00:2b:01:02:03",) * 2, ("00:00:00:00:00:00",) * 2],
    "int4range": [("[1,5)",) * 2, ("empty",) * 2],
    "int4multirange": [("{[1,3),[5,9)}",) * 2, ("{}",) * 2],
    "tsvector": [("'fat':2A 'rat':3",) * 2, ("",) * 2],
    "public.geometry": [("0101000020E6100000000000000000F83F00000000000000C0",) * 2, ("",) * 2],
    "point": [("(1.5,-2)",) * 2, ("(NaN,Infinity)",) * 2],
    "circle": [("<(1,2),3.3>",) * 2, ("<(0,0),0>",) * 2],
}
JSON: Final = {"json", "jsonb", "public.hstore", "public.vector", "point", "circle"}
SCHEMA: Final = schema("types", (("id", "bigint"), *((f"c{n}", kind) for n, kind in enumerate(CASES))))


def _typed() -> TableSchema:
    columns = tuple(Column(one.name, one.type, user_types=(HSTORE, VECTOR, CENTS)) for one in SCHEMA.columns)
    return TableSchema(SCHEMA.table, columns, SCHEMA.key, primary_key=SCHEMA.key)


@pytest.mark.integration
def test_each_type_arrives_as_it_was(snowflake: SnowflakeDouble) -> None:
    of = target(_typed(), copying=True)
    writer = SnowflakeDestination(snowflake.endpoint(snowflake.new_database()), 1, 1)
    writer.open(1)
    writer.ensure_table(of)
    writer.start_copy(of)
    values: list[list[str | None]] = [[case[number][0] for case in CASES.values()] for number in range(2)]
    nothing: list[str | None] = [None] * len(CASES)
    sent = [Change("c", n + 1, (str(n), *row)) for n, row in enumerate([*values, nothing])]
    kept = Change("u", 11, ("1", *([UNCHANGED] * len(CASES))))  # as TOAST: the row's own values stay
    assert not writer.write_changes(batch(10, (of, changes(of.schema, sent)))).refusal
    assert not writer.write_changes(batch(20, (of, changes(of.schema, [kept])))).refusal
    writer.write_rows(chunk(of, [(str(n + 10), *row) for n, row in enumerate(values)], complete=False))
    exact: dict[str, int] = {}
    # The emulator's answer has 1970 for a timestamp that is NULL, so these are read as texts.
    names = ", ".join(f'CAST("C{n}" AS VARCHAR)' if "stamp" in kind else f'"C{n}"' for n, kind in enumerate(CASES))
    rows = writer._session.rows(f'SELECT "ID", "_ROSETTA_RAW", {names} FROM "COPY"."TYPES" ORDER BY "ID"', "looking")
    assert [int(row[0]) for row in rows] == [0, 1, 2, 10, 11]
    for number, raw, *found in rows:
        texts = {} if raw is None else json.loads(raw)
        for place, (kind, cases) in enumerate(CASES.items()):
            if int(number) == 2:
                assert found[place] is None, kind
                continue
            text, wanted = cases[int(number) % 10]
            if wanted is RAW and int(number) != 1:  # that row was written again without its values
                assert (found[place], texts.get(f"C{place}")) == (None, text), kind
            elif wanted is not RAW:
                assert _value(kind, found[place]) == wanted, kind
            exact[kind] = exact.get(kind, 0) + 1
    writer.close()
    report = ROOT / ".reports/types.json"
    report.parent.mkdir(exist_ok=True)
    known = json.loads(report.read_text()) if report.exists() else {}
    report.write_text(json.dumps(known | {"snowflake": {"exact": len(exact), "of": len(CASES)}}))
    assert len(exact) == len(CASES) >= 30


def _value(kind: str, value: Any) -> Any:
    if value is not None and (kind in JSON or kind.endswith("[]")):
        return json.loads(value)
    return datetime.fromisoformat(value) if value is not None and "stamp" in kind else value


def test_fields_are_read_as_they_were_written(tmp_path: Path) -> None:
    data = b"a\\tb\\nc\\r\\\\d\x01\t\\N\t\t\\\\N\n" + 'ü\\\\n\tx\t"q"\t\\\\\\\\\n'.encode()
    assert [column.to_pylist() for column in read_fields(data, 4)] == [
        ["a\tb\nc\r\\d\x01", "ü\\n"],
        [None, "x"],
        ["", '"q"'],
        ["\\N", "\\\\"],
    ]
    assert [column.to_pylist() for column in read_fields(b"", 2)] == [[], []]


def test_what_a_type_has_no_value_for_is_kept_beside_the_row() -> None:
    texts = pa.array(["1", "NaN", None], pa.string())
    prepared = prepare(texts, Form.NUMBER)
    assert prepared.text.to_pylist() == ["1", None, None]
    assert raw_texts({"X": (texts, prepared.unheld)}, 3).to_pylist() == [None, '{"X":"NaN"}', None]


def test_only_numbers_that_a_variant_would_change_make_json_a_text() -> None:
    kept = ['{"hash": "1e5", "n": 12.50}', '{"a\\"1e9": "' + "9" * 60 + '"}', "1.10", None]
    turned = ["1" + "0" * 300, '{"n": 1e5}', '{"a": "x", "n": 0.' + "1" * 40 + "}"]
    assert prepare(pa.array(kept, pa.string()), Form.JSON).text.to_pylist() == kept
    assert prepare(pa.array(turned, pa.string()), Form.JSON).text.to_pylist() == [json.dumps(one) for one in turned]
