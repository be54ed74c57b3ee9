"""What compute hashes of a key is what whoever searches for the key looks for."""

from __future__ import annotations

import pytest

from compute.core.lines import lines
from compute.dlq.keys import KeyHasher
from compute.tests.contract.changes import Change, changes, schema
from rosetta.dead_letters.keys import searched_hashes
from rosetta.secrets import Keyring

OLD = Keyring.from_secret_key("the key of last year")
NOW = Keyring.from_secret_key("the key of this year", ["the key of last year"])


@pytest.mark.parametrize("keyring", [OLD, NOW])
@pytest.mark.parametrize(
    ("kind", "stored", "searched"),
    [
        ("bigint", "17", "17"),
        ("numeric", "1.50", "1.5"),
        ("numeric(10,2)", "2.00", "2"),
        ("character(5)", "ab   ", "ab"),
        ("text", "a\tb\\c\n", "a\tb\\c\n"),
        ("double precision", "-0", "0"),
    ],
)
def test_a_key_is_found_by_its_text(keyring: Keyring, kind: str, stored: str, searched: str) -> None:
    table = schema("things", (("id", kind), ("part", "integer"), ("note", "text")), ("id", "part"))
    (line,) = lines(changes(table, [Change("c", 1, (stored, "3", "n"))]))
    hashes = set(KeyHasher(keyring).hashes(table, [line]))
    assert hashes <= set(searched_hashes(NOW, table.table, [searched, "3"]))
    assert not hashes & set(searched_hashes(NOW, table.table, [searched, "4"]))
    assert not hashes & set(searched_hashes(NOW, table.table, ["other" if kind == "text" else "18", "4"]))
