"""What a condition must be to fit its table, and the one form of its values."""

from __future__ import annotations

import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosetta.errors import ConfigurationError, UnsupportedError
from rosetta.filters import check_filters, parse_filters, postgres_condition
from rosetta.filters.literals import single
from rosetta.identifiers import TableId
from rosetta.types import Column, TableSchema, UserType

MOOD = UserType("Odd one", "Mood", "enum", ("sad", "it's ok"))
FEELING = UserType("public", "feeling", "domain", ('"Odd one"."Mood"', "CHECK (true)"))
PRICE = UserType("public", "price", "domain", ("numeric(12,2)",))
CITEXT = UserType("public", "citext", "extension", ("citext",))


def _schema(type_: str, *user_types: UserType, nondeterministic: bool = False) -> TableSchema:
    column = Column("c", type_, user_types=user_types, nondeterministic=nondeterministic)
    return TableSchema(TableId("public", "t"), (column, Column("userId", "integer")), ())


def _values(schema: TableSchema, written: str) -> tuple[str, ...]:
    (condition,) = check_filters(schema, parse_filters([written])).conditions
    return condition.values


@pytest.mark.parametrize(
    ("type_", "written", "value"),
    [
        ("integer", "+007", "7"),
        ("bigint", "-9223372036854775808", "-9223372036854775808"),
        ("oid", "4294967295", "4294967295"),
        ("numeric(5,-3)", "1.5e3", "1500"),
        ("numeric", "-0.00", "0"),
        ("numeric", "0012.3400", "12.34"),
        ("numeric", "-inf", "-Infinity"),
        ("numeric", "nan", "NaN"),
        ("double precision", "1e2", "100.0"),
        ("double precision", "-0", "0.0"),
        ("real", "0.1", "0.10000000149011612"),
        ("boolean", "TRUE", "t"),
        ("boolean", "0", "f"),
        ("uuid", "{A0EEBC99-9C0B4EF8-BB6D6BB9BD380A11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("bytea", "\\xDEADbeef", "\\xdeadbeef"),
        ("character(5)", "ab  ", "ab"),
        ("text", " ab  ", " ab  "),
        ("date", "2024-02-29", "2024-02-29"),
        ("date", "4714-11-24 BC", "4714-11-24 BC"),
        ("date", "5874897-12-31", "5874897-12-31"),
        ("date", "Infinity", "infinity"),
        ("timestamp(3) without time zone", "2026-01-01", "2026-01-01 00:00:00"),
        ("timestamp without time zone", "2026-01-01T12:30:00.120", "2026-01-01 12:30:00.12"),
        ("timestamp with time zone", "2026-01-01", "2026-01-01 00:00:00+00"),
        ("timestamp with time zone", "2026-01-01 00:00:00+01", "2025-12-31 23:00:00+00"),
        ("timestamp with time zone", "2024-02-29T23:30-0130", "2024-03-01 01:00:00+00"),
        ("timestamp with time zone", "0001-01-01 00:00:00+00:00:01", "0001-12-31 23:59:59+00 BC"),
        ("timestamp with time zone", "294277-01-01 05:00+06", "294276-12-31 23:00:00+00"),
        ("time without time zone", "24:00", "24:00:00"),
        ("time(3) without time zone", "23:59:59.100", "23:59:59.1"),
    ],
)
def test_a_value_has_one_form(type_: str, written: str, value: str) -> None:
    assert _values(_schema(type_), f"c = '{written}'") == (value,)


@pytest.mark.parametrize(
    ("type_", "written"),
    [
        ("integer", ("2147483648", "1.0", "", "0x10", "1_000", "1; 2", "\u0661")),
        ("oid", ("-1", "4294967296")),
        ("numeric", ("", ".", "1e", "one", "1e1001", "1e-1001", "1_000", "\u0663")),
        ("real", ("1e39", "1e-46", "infinite")),
        ("double precision", ("1e309", "1e-400", "0x1p3")),
        ("boolean", ("2", "", "null", "tru")),
        ("uuid", ("", "a0eebc99", "g" * 32)),
        ("bytea", ("abc", "\\xa", "\\xgg", "\\000")),
        ("date", ("2023-02-29", "0000-01-01", "26-01-01", "2026-13-01", "2026-1-1", "today", "4714-11-23 BC",
                  "5874898-01-01", "2026-01-01 00:00:00", "1900-02-29", "01/02/2026")),
        ("timestamp without time zone", ("2026-01-01 00:00:00Z", "2026-01-01 24:00:00", "2026-01-01 00:00:00.1234567",
                                         "now", "294277-01-01", "2026-01-01 00:60", "2026-01-01 10")),
        ("timestamp with time zone", ("2026-01-01 00:00:00 Europe/Berlin", "2026-01-01 00:00:00+16", "epoch",
                                      "294276-12-31 23:00:00-02")),
        ("time without time zone", ("24:00:01", "23:59:60", "12", "12:00:00+01")),
    ],
)  # fmt: skip
def test_what_is_no_value_of_the_type_is_refused(type_: str, written: tuple[str, ...]) -> None:
    for text in written:
        with pytest.raises(ConfigurationError, match=r"^filter 1: c: the value is not ") as caught:
            _values(_schema(type_), f"c = '{text}'")
        assert caught.value.code == "FILTER_INVALID"
        assert caught.value.remedy


def test_an_error_does_not_quote_the_value() -> None:
    with pytest.raises(ConfigurationError) as caught:
        _values(_schema("date"), "c IN ('2026-01-01', 'hidden')")
    assert caught.value.message.startswith("filter 1: c: value 2 is not ")
    assert "hidden" not in f"{caught.value.message}{caught.value.remedy}"


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (_schema("money"), "locale"),
        (_schema("interval day to second(3)"), "print differently"),
        (_schema("time with time zone"), "zone"),
        (_schema("jsonb"), "1.0"),
        (_schema("json"), "does not compare"),
        (_schema("integer[]"), "element"),
        (_schema("public.citext", CITEXT), "folds"),
        (_schema('"Odd one"."Mood"[]', MOOD), "element"),
        (_schema("inet"), "only to the server"),
        (_schema("bit(1)"), "only to the server"),
        (_schema('"char"'), "only to the server"),
    ],
)
def test_a_type_that_cannot_be_compared_alike_is_refused_with_the_reason(schema: TableSchema, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason) as caught:
        check_filters(schema, parse_filters(["c = '1'"]))
    assert caught.value.code == "FILTER_UNSUPPORTED"
    row_filter = check_filters(schema, parse_filters(["c IS NULL"]))
    assert postgres_condition(row_filter) == '("c" IS NOT DISTINCT FROM NULL)'
    assert row_filter.passes({"c": None})
    assert not row_filter.passes({"c": "(,)"})


@pytest.mark.parametrize("schema", [_schema('"Odd one"."Mood"', MOOD), _schema("public.feeling", MOOD, FEELING)])
def test_an_enum_has_its_labels_but_no_order(schema: TableSchema) -> None:
    assert _values(schema, "c IN ('sad', 'it''s ok')") == ("sad", "it's ok")
    with pytest.raises(ConfigurationError, match="labels") as caught:
        _values(schema, "c = 'glad'")
    assert "it's ok" in str(caught.value.remedy)
    for written in ("c < 'sad'", "c BETWEEN 'sad' AND 'sad'"):
        with pytest.raises(UnsupportedError, match="can change"):
            check_filters(schema, parse_filters([written]))
    with pytest.raises(ConfigurationError, match="is for text"):
        check_filters(schema, parse_filters(["c LIKE 's%'"]))


def test_a_column_that_is_not_there_is_refused_and_the_near_one_named() -> None:
    schema = _schema("text")
    for written, remedy in (("userId = 5", 'double quotes: "userId"'), ('"userID_" = 5', "Did you mean userId?")):
        with pytest.raises(ConfigurationError, match=r"^filter 2: public.t has no column ") as caught:
            check_filters(schema, parse_filters(["c = 'x'", written]))
        assert remedy in str(caught.value.remedy)


def test_patterns_are_for_text_and_escape_something() -> None:
    with pytest.raises(ConfigurationError, match="LIKE is for text"):
        check_filters(_schema("uuid"), parse_filters(["c LIKE 'a%'"]))
    assert _values(_schema("character(3)"), r"c LIKE 'a \\ '") == (r"a \\ ",)
    for pattern, said in (("a\\", "escapes nothing"), ("%" * 1001, "too long")):
        with pytest.raises(ConfigurationError, match=said):
            check_filters(_schema("text"), parse_filters([f"c ILIKE '{pattern}'"]))


@pytest.mark.parametrize(
    ("schema", "written", "sql"),
    [
        (_schema("integer"), "c = 5", """("t"."c" = CAST('5' AS integer))"""),
        (_schema("character varying(9)"), "c != 'a\\'", """("t"."c" <> CAST(E'a\\\\' AS text))"""),
        (_schema("text", nondeterministic=True), "c = 'a'", """("t"."c" COLLATE "C" = CAST('a' AS text))"""),
        (_schema("text"), "c ILIKE 'a%'", """("t"."c" COLLATE "C" ILIKE CAST('a%' AS text))"""),
        (_schema("public.price", PRICE), "c > 1.005",
         """(CAST("t"."c" AS numeric) > CAST('1.005' AS numeric))"""),
        (_schema("public.feeling", MOOD, FEELING), "c NOT IN ('sad')",
         """(CAST("t"."c" AS "Odd one"."Mood") NOT IN (CAST('sad' AS "Odd one"."Mood")))"""),
        (_schema("date"), "c IS NULL", """("t"."c" IS NULL)"""),
    ],
)  # fmt: skip
def test_sql_leaves_a_column_to_its_index_where_it_can(schema: TableSchema, written: str, sql: str) -> None:
    assert postgres_condition(check_filters(schema, parse_filters([written])), "t") == sql


def test_sql_of_several_conditions_and_of_none() -> None:
    row_filter = check_filters(_schema("text"), parse_filters(["c = '%s'", '"userId" BETWEEN 1 AND 2']))
    assert row_filter.columns == {"c", "userId"}
    assert row_filter
    assert postgres_condition(row_filter) == (
        """("c" = CAST('%s' AS text)) AND ("userId" BETWEEN CAST('1' AS integer) AND CAST('2' AS integer))"""
    )
    nothing = check_filters(_schema("text"), ())
    assert not nothing
    assert nothing.passes({})
    assert postgres_condition(nothing) == "true"


@given(st.integers(0, 2**31 - 2**23 - 2), st.integers(0, 10**30))
def test_a_number_is_rounded_to_single_precision_once(bits: int, beyond: int) -> None:
    """The middle between two neighbours, and what lies a little beyond it, which a double does not tell apart."""
    near, other = (struct.unpack("f", struct.pack("i", bits + step))[0] for step in (0, 1))
    middle = (Fraction(near) + Fraction(other)) / 2
    exact = middle + Fraction(beyond, 10**200)
    expected = other if exact > middle or bits % 2 else near
    assert single(_decimal(exact)) == expected
    assert single(_decimal(-exact)) == -expected
    assert single(_decimal(Fraction(near))) == near


def _decimal(number: Fraction) -> str:
    """Exact: no number of single precision, nor a middle of two, has more places."""
    digits = f"{abs(int(number * 10**200)):0201d}"
    return f"{'-' * (number < 0)}{digits[:-200]}.{digits[-200:]}"
