"""Types that a filter can compare, each with values that are hard to compare, and ways to draw more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import Final

from hypothesis import strategies as st

from rosetta.types import Column, UserType

SETUP: Final = """
CREATE SCHEMA "Odd one";
CREATE TYPE "Odd one"."Mood" AS ENUM ('sad', 'it''s ok', 'a;--b', '$$', 'A');
CREATE DOMAIN public.feeling AS "Odd one"."Mood";
CREATE DOMAIN public.price AS numeric(30, 4);
"""
_MOOD: Final = UserType("Odd one", "Mood", "enum", ("sad", "it's ok", "a;--b", "$$", "A"))
_FEELING: Final = UserType("public", "feeling", "domain", ('"Odd one"."Mood"',))
_PRICE: Final = UserType("public", "price", "domain", ("numeric(30,4)",))

HOSTILE: Final = (
    *("", " ", "'", "''", '"', "\\", "\\\\", "\\'", ";", "; DROP TABLE t; --", "--", "/* */", "$$", "$1", "$filter_1"),
    *("%", "%%", "%s", "%(filter_1)s", "_", "{}", "?", ":x", "\n", "a\nb", "\r\n", "\t", "\x01", "\x7f", "NULL", "\\N"),
    *(
        "a",
        "A",
        "ab",
        "aB",
        "a ",
        " a",
        "a%b",
        "a_b",
        "a\\",
        "k",
        "K",
        "\u212a",
        "s",
        "\u017f",
        "i",
        "I",
        "\u0131",
        "\u0130",
    ),
    *("é", "É", "e\u0301", "ß", "ẞ", "ﬀ", "ы", "Ы", "😀", "a😀b", "\ufffd", "\uffff", "\U0010ffff", "\u00a0", "\u2028"),
)
_PIECES: Final = (
    "%",
    "_",
    "\\%",
    "\\_",
    "\\\\",
    "\\a",
    "a",
    "A",
    "b",
    "é",
    "É",
    "\u212a",
    "K",
    "😀",
    "\n",
    "(",
    ".",
    "'",
)
PATTERNS: Final = st.lists(st.sampled_from(_PIECES), max_size=5).map("".join)


@dataclass(frozen=True)
class Sample:
    """`values`: as PostgreSQL reads them. `drawn`: more of them."""

    column: Column
    values: tuple[str, ...]
    drawn: st.SearchStrategy[str]

    @property
    def name(self) -> str:
        return self.column.type


def _sample(type_: str, values: tuple[str, ...], drawn: st.SearchStrategy[str], *user_types: UserType) -> Sample:
    return Sample(Column("c % \"'", type_, user_types=user_types), values, drawn)


def _day(year: int, bc: bool, month: int, day: int) -> str:
    return f"{year:04d}-{month:02d}-{day:02d}{' BC' if bc else ''}"


def _moment(day: str, moment: time, zone: str) -> str:
    date, _, era = day.partition(" ")
    return f"{date} {moment.isoformat()}{zone}{f' {era}' if era else ''}"


def _hex(data: bytes) -> str:
    return f"\\x{data.hex()}"


_YEARS: Final = st.sampled_from((1, 44, 45, 1999, 2000, 4712)) | st.integers(1, 4713)
_MONTHS, _DAYS = st.integers(1, 12), st.integers(1, 28)
_DATES: Final = st.builds(_day, _YEARS, st.booleans(), _MONTHS, _DAYS) | st.builds(
    _day, st.integers(4714, 294_000), st.just(value=False), _MONTHS, _DAYS
)
_TIMES: Final = st.times() | st.sampled_from((time(0), time(12, 30), time(12, 30, 0, 500_000), time.max))
_ZONES: Final = st.sampled_from(("+00", "Z", "+05:30", "-08", "+15:59", "-00:00:01", ""))
_TEXT: Final = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5) | PATTERNS
_DECIMALS: Final = st.builds(
    "{}{}.{}".format, st.sampled_from(("", "-")), st.integers(0, 10**12), st.from_regex(r"[0-9]{1,6}", fullmatch=True)
) | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**25), max_value=10**25, places=4).map(str)
_INSTANTS: Final = (
    *("infinity", "-infinity", "2026-01-01", "2026-01-01 00:00:00.5", "2026-01-01 00:00:00.05", "2025-12-31 23:59:59"),
    *("0044-03-15 12:00:00 BC", "0044-03-15 12:00:00.5 BC", "0044-03-14 BC", "0045-03-15 BC", "4714-11-24 BC"),
    *("0001-01-01", "0001-12-31 BC", "9999-12-31 23:59:59.999999", "10000-01-01", "294276-12-31 23:59:59.999999"),
)
_DATE_VALUES: Final = (
    *("infinity", "-infinity", "2026-01-01", "0044-03-15 BC", "0044-04-01 BC", "0045-03-15 BC", "4714-11-24 BC"),
    *("0001-01-01", "0001-12-31 BC", "9999-12-31", "10000-01-01", "5874897-12-31"),
)
_FLOATS: Final = ("0", "-0", "NaN", "Infinity", "-Infinity", "0.1", "-1.5", "1e15", "1e16", "16777216", "16777217")

SAMPLES: Final = (
    _sample("text", HOSTILE, _TEXT),
    _sample("character varying(40)", HOSTILE, _TEXT),
    _sample("character(9)", tuple(text for text in HOSTILE if len(text) < 10), _TEXT.map(lambda text: text[:9])),
    _sample("name", HOSTILE, _TEXT),
    _sample("smallint", ("0", "-32768", "32767", "9", "10", "-9", "-10"), st.integers(-100, 100).map(str)),
    _sample("bigint", (f"{-(2**63)}", f"{2**63 - 1}", f"{2**53}", f"{2**53 + 1}", "0"), st.integers(-11, 11).map(str)),
    _sample("oid", ("0", "2147483648", "4294967295"), st.integers(0, 2**32 - 1).map(str)),
    _sample(
        "numeric",
        (
            *("0", "0.00", "-0.5", "1", "1.5", "1.50", "1.05", "10", "9", "-1.5", "-1.50", "-10", "-9", "100", "1000"),
            *("NaN", "Infinity", "-Infinity", "1e-300", "-1e-300", "1e300", "-1e300", "9" * 400, f"-{'9' * 400}.01"),
        ),
        _DECIMALS,
    ),
    _sample("numeric(12,2)", ("0", "NaN", "1.5", "-1.5", "9999999999.99"), st.integers(-300, 300).map(str)),
    _sample("public.price", ("0", "1.0001", "-1.0001", "NaN"), _DECIMALS, _PRICE),
    _sample("real", (*_FLOATS, "3.4028235e38", "1e-45", "1.1"), st.floats(width=32).map(repr)),
    _sample("double precision", (*_FLOATS, "5e-324", "1.7976931348623157e308"), st.floats().map(repr)),
    _sample("boolean", ("t", "f"), st.sampled_from(("true", "false", "on", "0"))),
    _sample("uuid", ("0" * 32, "f" * 32, "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}"), st.uuids().map(str)),
    _sample("bytea", ("\\x", "\\x00", "\\xff", "\\x00FF", "\\x5c27"), st.binary(max_size=3).map(_hex)),
    _sample("date", _DATE_VALUES, _DATES),
    _sample("timestamp without time zone", _INSTANTS, st.builds(_moment, _DATES, _TIMES, st.just("")) | _DATES),
    _sample("timestamp with time zone", _INSTANTS, st.builds(_moment, _DATES, _TIMES, _ZONES) | _DATES),
    _sample("time without time zone", ("00:00:00", "24:00:00", "12:00:00", "12:00:00.5"), _TIMES.map(time.isoformat)),
    _sample('"Odd one"."Mood"', _MOOD.definition, st.sampled_from(_MOOD.definition), _MOOD),
    _sample("public.feeling", _MOOD.definition, st.sampled_from(_MOOD.definition), _MOOD, _FEELING),
)
