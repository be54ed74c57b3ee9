"""How a parked row's key is kept: as keyed hashes of its table and text, from which nobody reads the key.

Compute hashes a key in the normal form of its columns' types, so that equal values are found to be equal however they
are printed. Whoever searches knows the text only, so every form that it may have been hashed in is looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

from rosetta.errors import ConfigurationError
from rosetta.identifiers import TableId
from rosetta.secrets import Keyring

MAX_SEARCHED_COLUMNS: Final = 8
_NAMED: Final = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\"}
_ESCAPED: Final = str.maketrans(_NAMED)


def key_input(table: TableId, parts: Sequence[bytes]) -> bytes:
    """What is hashed of a key: its table and its columns' COPY text, each with its length."""
    named = (table.schema.encode(), table.name.encode(), *parts)
    return b"".join(len(part).to_bytes(4, "big") + part for part in named)


def plain_number(part: bytes) -> bytes:
    """1.50 and 1.5 are equal; numeric prints without exponent."""
    return part.rstrip(b"0").rstrip(b".") if b"." in part else part


def searched_hashes(keyring: Keyring, table: TableId, key: Sequence[str]) -> tuple[bytes, ...]:
    """The hashes under which a row with this key may be parked, `key` being its columns' text in their order.

    Where equal values of a column's type print differently in ways that no form covers (a float, say), records of
    other rows of the table are found too. Raises ConfigurationError for more than MAX_SEARCHED_COLUMNS columns.
    """
    if len(key) > MAX_SEARCHED_COLUMNS:
        raise ConfigurationError(
            f"a key of more than {MAX_SEARCHED_COLUMNS} columns cannot be searched for",
            code="KEY_TOO_WIDE",
            remedy="Filter by the table, and look at the records.",
        )
    inputs = {key_input(table, parts) for parts in product(*(_forms(text) for text in key))}
    return tuple(sorted({digest for one in inputs for digest in keyring.digests(one)}))


def _forms(text: str) -> set[bytes]:
    part = text.translate(_ESCAPED).encode()
    return {part, plain_number(part), part.rstrip(b" "), b""}
