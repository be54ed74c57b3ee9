r"""COPY text as columns of text that Snowflake's casts read: column by column in Arrow, never row by row.

The few values that no expression over a whole column can turn (arrays with quotes, hstore, JSON with huge numbers) are
turned one by one, and only they.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from rosetta.dialects.snowflake.types import Form

# Bytes that no UTF-8 text has, in place of an escaped backslash while the other escapes are undone.
_STAND_IN: Final = b"\xff"
_ESCAPES: Final = ((b"\\n", b"\n"), (b"\\t", b"\t"), (b"\\r", b"\r"), (b"\\b", b"\b"), (b"\\f", b"\f"), (b"\\v", b"\v"))
_BLOCK_BYTES: Final = 1 << 24
# What a type has no value for: the text is kept beside it.
_UNHELD: Final[Mapping[Form, str]] = {
    Form.NUMBER: r"^-?(NaN|Infinity)$",
    Form.MONEY: r"[^-$,.0-9]",
    Form.DATE: r"^([^0-9]|[0-9]{5})|BC$|^-?infinity$",
    Form.TIME: r"^24",
    Form.TIMESTAMP: r"^([^0-9]|[0-9]{5})|BC$|^-?infinity$",
    Form.TIMESTAMP_TZ: r"^([^0-9]|[0-9]{5})|BC$|^-?infinity$",
}
# More digits than a NUMBER has, or a number in floating point: a VARIANT would change it.
_HUGE_NUMBER: Final = r"[0-9.]{38}|[0-9][eE][-+]?[0-9]"
_JSON_TEXT: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_CONTROL_OR_QUOTE: Final = r'["\\\x00-\x1f=]'
_ARRAY_ITEM: Final = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,{}"]+)|([{},]))', re.DOTALL)
_HSTORE_ITEM: Final = re.compile(r'"((?:[^"\\]|\\.)*)"=>(?:"((?:[^"\\]|\\.)*)"|NULL)', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)

Text = Any  # an array of strings: pyarrow has no types


@dataclass(frozen=True, slots=True)
class Prepared:
    """A column as it is sent; `unheld` marks values that are NULL because the type has none for them."""

    text: Text
    unheld: Text | None = None


def read_fields(data: bytes | memoryview, count: int) -> list[Text]:
    """The fields of COPY text as `count` columns of strings, with NULL for NULL.

    Raises ValueError when the payload is not what it should be.
    """
    if not data:
        return [pa.array([], pa.string())] * count
    content = bytes(data).replace(b"\r", b"\\r") if b"\r" in bytes(data) else data
    names = [f"f{number}" for number in range(count)]
    table = csv.read_csv(
        pa.py_buffer(content),
        read_options=csv.ReadOptions(column_names=names, block_size=max(_BLOCK_BYTES, 1), use_threads=False),
        parse_options=csv.ParseOptions(
            delimiter="\t", quote_char=False, escape_char=False, newlines_in_values=False, ignore_empty_lines=False
        ),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.binary()),
            null_values=["\\N"],
            strings_can_be_null=True,
            check_utf8=False,
        ),
    )
    return [_unescaped(table.column(name).combine_chunks()) for name in names]


def _unescaped(column: Text) -> Text:
    if pc.any(pc.match_substring(column, b"\\")).as_py():
        column = pc.replace_substring(column, b"\\\\", _STAND_IN)
        for escaped, raw in _ESCAPES:
            column = pc.replace_substring(column, escaped, raw)
        column = pc.replace_substring(column, _STAND_IN, b"\\")
    return column.cast(pa.string())


def prepare(column: Text, form: Form) -> Prepared:
    """A column of the source's texts as the casts of its form read them."""
    made = _PREPARATIONS.get(form)
    if form not in _UNHELD:
        return Prepared(column if made is None else made(column))
    unheld = pc.fill_null(pc.match_substring_regex(column, _UNHELD[form]), False)
    if not pc.any(unheld).as_py():
        return Prepared(column if made is None else made(column))
    held = pc.if_else(unheld, pa.scalar(None, pa.string()), column)
    return Prepared(held if made is None else made(held), unheld)


def raw_texts(columns: Mapping[str, tuple[Text, Text]], count: int) -> Text:
    """What is kept beside the rows: a JSON object of texts by column, NULL where there is nothing to keep.

    `columns`: by target name the source's texts, and which of them are to be kept.
    """
    kept: dict[int, dict[str, str]] = {}
    for name, (texts, unheld) in columns.items():
        for row in pc.indices_nonzero(unheld).to_pylist():
            kept.setdefault(row, {})[name] = texts[row].as_py()
    if not kept:
        return pa.nulls(count, pa.string())
    return pa.array([orjson.dumps(kept[row]).decode() if row in kept else None for row in range(count)], pa.string())


def _floats(column: Text) -> Text:
    return pc.replace_substring_regex(column, r"^(-?)Infinity$", r"\1inf")


def _money(column: Text) -> Text:
    return pc.replace_substring_regex(column, r"[$,]", "")


def _bytes(column: Text) -> Text:
    return pc.replace_substring_regex(column, r"^\\x", "")


def _zoned(column: Text) -> Text:
    return pc.replace_substring_regex(column, r"([+-][0-9]{2})$", r"\1:00")


def _json(column: Text) -> Text:
    return _each(column, pc.match_substring_regex(column, _HUGE_NUMBER), _kept_json)


def _kept_json(value: str) -> str:
    """JSON with a number that a VARIANT would change becomes a JSON text; digits inside its texts are none."""
    numbers = _JSON_TEXT.sub('""', value)
    return _as_json_text(value) if re.search(_HUGE_NUMBER, numbers) else value


def _as_json_text(value: str) -> str:
    return orjson.dumps(value).decode()


def _texts(column: Text) -> Text:
    """Texts of geometric types need no escapes in JSON."""
    return pc.binary_join_element_wise('"', column, '"', "")


def _arrays(column: Text) -> Text:
    """Arrays of texts as JSON."""
    plain = pc.replace_substring_regex(column, r"([^{},]+)", r'"\1"')
    plain = pc.replace_substring_regex(plain, r'(?i)"NULL"', "null")
    plain = pc.replace_substring(pc.replace_substring(plain, "{", "["), "}", "]")
    return _each(plain, pc.match_substring_regex(column, _CONTROL_OR_QUOTE), array_json, column)


def _numbers(column: Text) -> Text:
    """Arrays of numbers: one that JSON cannot write, or has too many digits to stay exact, is a text."""
    return pc.replace_substring_regex(_arrays(column), r'"(-?(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,18})?)"', r"\1")


def _booleans(column: Text) -> Text:
    return pc.replace_substring(pc.replace_substring(_arrays(column), '"t"', "true"), '"f"', "false")


def array_json(text: str) -> str:
    """A PostgreSQL array's text as JSON; one with bounds of its own stays a text."""
    if not text.startswith("{"):
        return _as_json_text(text)
    parts: list[str] = []
    for match in _ARRAY_ITEM.finditer(text):
        quoted, bare, sign = match.groups()
        if sign is not None:
            parts.append({"{": "[", "}": "]", ",": ","}[sign])
        elif quoted is not None:
            parts.append(_as_json_text(_ESCAPED.sub(r"\1", quoted)))
        else:
            parts.append("null" if bare.upper() == "NULL" else _as_json_text(bare))
    return "".join(parts)


def hstore_json(text: str) -> str:
    """An hstore's text as a JSON object of texts and nulls."""
    pairs = {
        _ESCAPED.sub(r"\1", key): None if value is None else _ESCAPED.sub(r"\1", value)
        for key, value in (
            (match[1], match[2] if match[2] is not None else None) for match in _HSTORE_ITEM.finditer(text)
        )
    }
    return orjson.dumps(pairs).decode()


def _hstores(column: Text) -> Text:
    return _each(column, pc.is_valid(column), hstore_json)


def _each(column: Text, chosen: Text, turn: Callable[[str], str], of: Text | None = None) -> Text:
    """The column with `turn` of the chosen values (of `of`, where given) in their places."""
    rows = pc.indices_nonzero(pc.fill_null(chosen, False))
    if not len(rows):
        return column
    turned = pa.array([turn(value) for value in (column if of is None else of).take(rows).to_pylist()], pa.string())
    return pc.replace_with_mask(column, pc.fill_null(chosen, False), turned)


_PREPARATIONS: Final[Mapping[Form, Callable[[Text], Text]]] = {
    Form.FLOAT: _floats,
    Form.MONEY: _money,
    Form.BYTES: _bytes,
    Form.TIMESTAMP_TZ: _zoned,
    Form.JSON: _json,
    Form.TEXT: _texts,
    Form.ARRAY: _arrays,
    Form.NUMBERS: _numbers,
    Form.BOOLEANS: _booleans,
    Form.HSTORE: _hstores,
}
