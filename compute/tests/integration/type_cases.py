"""The table of types: each with ordinary, extreme and odd values, as PostgreSQL reads them. NULL is added to all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SETUP: Final = """
CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION cube; CREATE EXTENSION seg;
CREATE EXTENSION isn; CREATE EXTENSION vector;
CREATE SCHEMA "Odd one";
CREATE TYPE "Odd one"."Mood" AS ENUM ('sad', 'so ''so''', 'ok, fine', 'happy');
CREATE DOMAIN public.cents AS numeric(12, 2) CHECK (VALUE > -1000000000);
CREATE DOMAIN "Odd one".price AS public.cents NOT NULL CHECK (VALUE <> 13);
CREATE DOMAIN public.tags AS text[];
CREATE DOMAIN public.feeling AS "Odd one"."Mood" CHECK (VALUE <> 'happy');
CREATE TYPE public.part AS (name varchar(20), "Size" public.cents, mood "Odd one"."Mood");
CREATE TYPE public.whole AS (parts public.part[], at timestamptz);
CREATE TYPE public.float_range AS RANGE (SUBTYPE = float8);
"""


@dataclass(frozen=True)
class TypeCase:
    """`key`: whether the type has a B-tree order, so that it can be a primary key."""

    name: str
    type: str
    values: tuple[str, ...]
    key: bool = True
    equality: bool = True
    not_null: bool = False


def _case(name: str, values: tuple[str, ...], type_name: str | None = None) -> TypeCase:
    return TypeCase(name, type_name or name, values)


def _loose(name: str, *values: str) -> TypeCase:
    """A type without a B-tree order, and without an equality that tells all its values apart."""
    return TypeCase(name, name, values, key=False, equality=False)


_TEXT: Final = (
    "",
    " ",
    "NULL",
    "\\N",
    "a\tb\nc\r\\d\x01",
    "ünï😀",
    "'\"{},()",
    "x" * 5000,
    "__debezium_unavailable_value",
)
CASES: Final[tuple[TypeCase, ...]] = (
    _case("boolean", ("t", "f")),
    _case("smallint", ("0", "-32768", "32767")),
    _case("integer", ("0", "-2147483648", "2147483647", "1000000")),
    _case("bigint", ("0", "-9223372036854775808", "9223372036854775807", "1000000")),
    _case("real", ("0", "-0", "1.1", "3.4028235e38", "1e-45", "NaN", "Infinity", "-Infinity", "16777217")),
    _case(
        "double precision", ("0", "-0", "0.1", "1.7976931348623157e308", "5e-324", "NaN", "-Infinity", "1e15", "1e16")
    ),
    _case(
        "numeric", ("0", "0.00", "86695.27", "NaN", "Infinity", "-Infinity", "1e-300", "-" + "9" * 400 + ".5", "1e20")
    ),
    _case("numeric(p,s)", ("0", "-99999999.99", "86695.27", "NaN", "1000000"), "numeric(10,2)"),
    _case("numeric(p,-s)", ("0", "1234500", "-99999000"), "numeric(5,-3)"),
    _case("money", ("0", "-92233720368547758.08", "92233720368547758.07", "86695.27")),
    _case("oid", ("0", "4294967295")),
    _case("text", _TEXT),
    _case("varchar", _TEXT, "character varying"),
    _case("varchar(n)", ("", "ab ", "ünï😀"), "character varying(5)"),
    _case("char(n)", ("", "ab", "abcde", " x"), "character(5)"),
    _case('"char"', ("a", " ", ""), '"char"'),
    _case("name", ("pg_class", "With Space")),
    _case("citext", ("MiXed", "", "ß"), "public.citext"),
    _case("ltree", ("Top.Science.Astronomy", "", "a_1.b"), "public.ltree"),
    _case("hstore", ("", '"a"=>"1", "b"=>NULL', '"q\\"uote"=>"\\\\ \t"', '""=>""'), "public.hstore"),
    _case("cube", ("(1, 2),(3, 4)", "(0.1)"), "public.cube"),
    _case("seg", ("1 .. 2", "~5.0"), "public.seg"),
    _case("isbn13", ("978-0-393-04002-9",), "public.isbn13"),
    _case("bytea", ("", "\\x00", "\\xdeadbeef5c5c0a0d09", "\\x" + "00ff5c" * 2000)),
    _case("bit(1)", ("0", "1"), "bit(1)"),
    _case("bit(n)", ("10000000001", "00000000000"), "bit(11)"),
    _case("varbit", ("", "1", "0110100110010110" * 4), "bit varying"),
    _case("date", ("2024-02-29", "4713-01-01 BC", "5874897-12-31", "infinity", "-infinity", "1582-10-10")),
    _case("time", ("00:00:00", "24:00:00", "23:59:59.999999"), "time without time zone"),
    _case("time(3)", ("12:34:56.789", "00:00:00.5"), "time(3) without time zone"),
    _case("timetz", ("00:00:00+15:59", "24:00:00-15:59", "12:00:00.000001+05:30"), "time with time zone"),
    _case(
        "timestamp",
        (
            "2024-02-29 12:34:56.123456",
            "infinity",
            "-infinity",
            "4713-01-01 00:00:00 BC",
            "294276-12-31 23:59:59.999999",
        ),
        "timestamp without time zone",
    ),
    _case("timestamp(0)", ("2024-02-29 12:34:56",), "timestamp(0) without time zone"),
    _case(
        "timestamptz",
        (
            "2024-07-01 12:00:00.000001+02",
            "infinity",
            "-infinity",
            "4713-01-01 00:00:00+00 BC",
            "294276-12-31 23:59:59.9+00",
        ),
        "timestamp with time zone",
    ),
    _case(
        "interval",
        (
            "0",
            "1 year 2 mons -3 days 04:05:06.789",
            "-178000000 years",
            "178000000 years",
            "-00:00:00.000001",
            "1 mon -30 days",
        ),
    ),
    _case("interval(p)", ("00:00:01.5",), "interval second(1)"),
    _case("uuid", ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff")),
    _loose("json", '{"a": 1,  "a": 2}', "null", "12345678901234567890.10", '"\\u00e9\\ud83d\\ude00"', " [1 , 2]\n"),
    _case("jsonb", ('{"b": 1, "a": [null, "\\t"]}', "null", "1.10", "1" + "0" * 300, '"é"', "0.1e-50")),
    _loose("jsonpath", '$."a"[*] ? (@ > 1)', "lax $"),
    _case("inet", ("127.0.0.1", "10.1.2.3/8", "::1", "fe80::1/64", "0.0.0.0/0")),
    _case("cidr", ("10.0.0.0/8", "::/0", "192.168.1.1/32")),
    _case("macaddr", ("08:00:2b:01:02:03",)),
    _case("macaddr8", ("08:00:2b:01:02:03:04:05",)),
    _loose("point", "(1.5,-2)", "(NaN,Infinity)", "(1e300,5e-324)"),
    _loose("line", "{1,-1,0.1}", "{0,1,5}"),
    _loose("lseg", "[(0,0),(1.1,2)]"),
    _loose("box", "(3,4),(1,2)"),
    _loose("path", "[(0,0),(1,1),(2,0)]", "((0,0),(1,1))"),
    _loose("polygon", "((0,0),(1,1.1),(2,0))"),
    _loose("circle", "<(1,2),3.3>", "<(0,0),0>"),
    _case("tsvector", ("'fat':2A 'rat':3", "", "'a''b':1 'c\\\\d'")),
    _case("tsquery", ("'fat' & ( 'rat' | !'cat' )", "'a' <2> 'b':*A")),
    _case("pg_lsn", ("0/0", "FFFFFFFF/FFFFFFFF", "16/B374D848")),
    _loose("pg_snapshot", "10:20:10,14,15", "10:10:"),
    _loose("txid_snapshot", "10:20:10,14,15"),
    _case("xid8", ("0", "18446744073709551615")),
    TypeCase("xid", "xid", ("3", "4294967295"), key=False),
    _case("tid", ("(0,1)", "(4294967295,65535)")),
    _case("regclass", ("pg_class", "-")),
    _case("regtype", ("integer", "text[]", "character varying")),
    _case("regproc", ("now",)),
    _case("int4range", ("empty", "[1,5)", "(,)", "[,3)", "[2147483647,)")),
    _case("int8range", ("[-9223372036854775808,0)",)),
    _case("numrange", ("[1.10,2.200)", "(NaN,)", "[Infinity,]")),
    _case("tsrange", ('["2024-01-01 00:00:00","infinity")', "(,)")),
    _case("tstzrange", ('("4713-01-01 00:00:00+00 BC","2024-01-01 00:00:00.000001+00"]',)),
    _case("daterange", ("[2024-01-01,2024-02-01)", "[-infinity,infinity]")),
    _case("int4multirange", ("{}", "{[1,3),[5,9)}", "{(,)}")),
    _case("custom range", ("[0.1,0.2)", "(NaN,)"), "public.float_range"),
    _case("integer[]", ("{}", "{1,NULL,-3}", "{{1,2},{NULL,4}}", "[0:1]={7,8}", "[-2:-1][3:4]={{1,2},{3,4}}")),
    _case("text[]", ('{"",NULL,"NULL","a,b","q\\"\\\\"}', '{{"{}","\t"},{"\\n","é"}}'), "text[]"),
    _case("numeric[]", ("{1.10,NaN,Infinity,NULL}",)),
    _case("timestamptz[]", ('{"infinity","4713-01-01 00:00:00+00 BC",NULL}',), "timestamp with time zone[]"),
    _case("bytea[]", ('{"\\\\x00ff","\\\\x",NULL}',)),
    _case("jsonb[]", ('{"{\\"a\\": 1}",NULL,"null"}',)),
    _case("uuid[]", ("{00000000-0000-0000-0000-000000000000}",)),
    _case("hstore[]", ('{"\\"a\\"=>\\"1\\"",NULL}',), "public.hstore[]"),
    _case("enum", ("sad", "so 'so'", "ok, fine"), '"Odd one"."Mood"'),
    _case("enum[]", ('{sad,NULL,"ok, fine"}',), '"Odd one"."Mood"[]'),
    _case("domain", ("0", "-99.99", "9999999999.99"), "public.cents"),
    TypeCase("nested domain", '"Odd one".price', ("0.10", "86695.27"), not_null=True),
    _case("domain over array", ('{a,"b c",NULL}', "{}"), "public.tags"),
    # PostgreSQL itself does not compare such values.
    TypeCase("domain over enum", "public.feeling", ("sad", "so 'so'", "ok, fine"), key=False, equality=False),
    TypeCase("domain over enum[]", "public.feeling[]", ('{sad,NULL,"ok, fine"}',), key=False, equality=False),
    _case("composite", ('("a ""b"", c",1.50,"so \'so\'")', "(,,)", '("",NaN,)'), "public.part"),
    _case("nested composite", ('("{""(x,1.00,sad)"",NULL}",infinity)', "(,)"), "public.whole"),
    TypeCase("aclitem", "aclitem", ("=r/postgres",), key=False),
    _case("oidvector", ("1 2 3", "")),
    _loose("int2vector", "1 -2"),
    _case("vector", ("[1,2.5,-3]", "[0,1e-7,3.4e38]"), "public.vector"),
)

# Types that the embedded server was built without.
POSTGIS: Final[tuple[TypeCase, ...]] = (
    _loose("xml", "<a>b &amp; c</a>", "text <b/>"),
    _case(
        "geometry",
        ("SRID=4326;POINT(1.5 -2)", "POLYGON((0 0,1 0,1 1,0 0))", "GEOMETRYCOLLECTION EMPTY"),
        "public.geometry",
    ),
    _case("geography", ("SRID=4326;POINT(13.4 52.5)",), "public.geography"),
)
