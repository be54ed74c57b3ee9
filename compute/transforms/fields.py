r"""A payload's fields in Arrow, column by column.

COPY text has a tab between two fields and a newline behind each line, and neither inside a value; so a reader of
delimited text without quotes and escapes takes it apart exactly, each field as it is spelled. Only what a filter or a
mask looks at is unescaped, and of that only the values that hold a backslash.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from compute.core.batch import META_COLUMNS, TableChanges
from rosetta.dialects.postgres.copy_text import unescape

META: Final = len(META_COLUMNS)
OP, LSN, SEQ, XID, TS, UNCHANGED, FROM = range(META)
NULL: Final = "\\N"
_SPELLED: Final = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))  # the backslash first

Array = Any  # pa.StringArray, pa.BooleanArray


def read(changes: TableChanges) -> list[Array]:
    """The fields of all lines: those of META_COLUMNS, then the table's."""
    return fields_of(changes.data, META + len(changes.columns))


def fields_of(data: bytes | memoryview, width: int) -> list[Array]:
    """The fields of COPY text, `width` in a line. Raises ValueError where there are more or fewer."""
    if not len(data):
        return [pa.array([], pa.string())] * width
    names = [str(number) for number in range(width)]
    try:
        table = csv.read_csv(
            pa.BufferReader(pa.py_buffer(data)),
            # one block: a line is never cut
            read_options=csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
            parse_options=csv.ParseOptions(
                delimiter="\t", quote_char=False, double_quote=False, escape_char=False, ignore_empty_lines=False
            ),
            convert_options=csv.ConvertOptions(
                check_utf8=False, column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        # its text quotes the line
        raise ValueError("a payload does not have the number of fields of its columns") from None
    return [column.combine_chunks() for column in table.columns]


def replaced(array: Array, where: Array, values: Sequence[str]) -> Array:
    """`array` with `values`, in their order, wherever `where` is true."""
    return pc.replace_with_mask(array, where, pa.array(values, pa.string()))


def blank(array: Array, where: Array) -> Array:
    """`array` with NULL wherever `where` is true."""
    return pc.if_else(where, NULL, array)


def unescaped(array: Array) -> Array:
    """What COPY fields spell; NULL is null."""
    values = pc.if_else(pc.equal(array, NULL), pa.scalar(None, pa.string()), array)
    escaped = pc.fill_null(pc.match_substring(values, "\\"), False)
    if not pc.any(escaped).as_py():
        return values
    spelled = [unescape(value) for value in values.filter(escaped).to_pylist()]
    return replaced(values, escaped, spelled)


def escaped(values: Array) -> Array:
    """Values as COPY fields spell them; null is NULL."""
    special = pc.fill_null(pc.match_substring_regex(values, r"[\\\t\n\r]"), False)
    if pc.any(special).as_py():
        for raw, spelled in _SPELLED:
            values = pc.replace_substring(values, raw, spelled)
    return pc.fill_null(values, NULL)


def text_of(columns: list[Array]) -> bytes:
    """The payload of such fields."""
    last = pc.binary_join_element_wise(columns[-1], "", "\n")
    lines = pc.binary_join_element_wise(*columns[:-1], last, "\t")
    if isinstance(lines, pa.ChunkedArray):
        lines = lines.combine_chunks()
    _, offsets, data = lines.buffers()
    if not len(lines) or data is None:
        return b""
    bounds = pa.Array.from_buffers(pa.int32(), len(lines) + 1, [None, offsets], offset=lines.offset)
    first, end = bounds[0].as_py(), bounds[len(lines)].as_py()
    text: bytes = data.slice(first, end - first).to_pybytes()
    return text
