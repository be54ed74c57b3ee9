"""Reading PostgreSQL's COPY text and array literals, for code that looks into payloads; the hot path never does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_NAMED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ITEM: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,{}"]+)', re.DOTALL)


def parse_lines(data: bytes) -> Iterator[tuple[str | None, ...]]:
    """The fields of each line, None for NULL. Reads what PostgreSQL and Rosetta write: no octal or hex escapes."""
    for line in data.decode().split("\n")[:-1]:
        yield tuple(None if field == "\\N" else unescape(field) for field in line.split("\t"))


def unescape(field: str) -> str:
    return _ESCAPE.sub(lambda match: _NAMED.get(match[1], match[1]), field) if "\\" in field else field


def parse_array(literal: str) -> list[str]:
    """The items of a one-dimensional text array without NULLs."""
    body = literal.removeprefix("{").removesuffix("}")
    return [
        re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL) if match[1] is not None else match[2]
        for match in _ITEM.finditer(body)
    ]
