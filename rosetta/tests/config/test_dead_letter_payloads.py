"""Parked payloads: sealed to their place, read as rows, edited without touching anything else."""

from __future__ import annotations

import pytest

from rosetta.dead_letters import Payload, edit_row, open_payload, read_rows, seal_payload
from rosetta.dead_letters.rows import META_COLUMN_NAMES
from rosetta.enums import DlqOperation
from rosetta.errors import ConfigurationError, SecretError
from rosetta.secrets import Keyring

KEYRING = Keyring.from_secret_key("a key for tests")
LINE = b"u\t17\t2\t100\t1700000000123456\t0001\t\\N\t7\ta\\tb\t\\N\t\\N\n"
GONE = b"d\t18\t0\t100\t1700000000123456\t\\N\t\\N\t8\t\\N\t\\N\t\\N\n"
COLUMNS = ("id", "name", "note", "body")
PAYLOAD = Payload(COLUMNS, ("id",), LINE + GONE, 2, frozenset({"has_unchanged", "has_deletes"}))


@pytest.mark.parametrize("data", [LINE, LINE * 1000], ids=["short", "long"])
def test_a_payload_comes_back_and_shows_nothing_sealed(data: bytes) -> None:
    payload = Payload(COLUMNS, ("id",), data, 1, frozenset({"has_unchanged"}))
    sealed = seal_payload(payload, KEYRING, 1, 2)
    assert b"name" not in sealed
    assert open_payload(sealed, KEYRING, 1, 2) == payload
    assert open_payload(sealed, Keyring.from_secret_key("next", ["a key for tests"]), 1, 2) == payload


@pytest.mark.parametrize(("pipeline_id", "destination_id"), [(2, 2), (1, 3), (12, 2)])
def test_a_payload_opens_only_in_its_place(pipeline_id: int, destination_id: int) -> None:
    sealed = seal_payload(PAYLOAD, KEYRING, 1, 2)
    with pytest.raises(SecretError) as raised:
        open_payload(sealed, KEYRING, pipeline_id, destination_id)
    assert raised.value.code == "SECRET_ALTERED"


def test_an_altered_or_unknown_seal_is_refused() -> None:
    sealed = bytearray(seal_payload(PAYLOAD, KEYRING, 1, 2))
    with pytest.raises(SecretError):
        open_payload(bytes(sealed), Keyring.from_secret_key("another"), 1, 2)
    sealed[-1] ^= 1
    with pytest.raises(SecretError):
        open_payload(bytes(sealed), KEYRING, 1, 2)
    for nothing in (b"", b"rsb1", PAYLOAD.data):
        with pytest.raises(SecretError):
            open_payload(nothing, KEYRING, 1, 2)


def test_rows_say_what_the_lines_say() -> None:
    update, delete = read_rows(PAYLOAD)
    assert (update.operation, update.lsn, update.seq) == (DlqOperation.UPDATE, 17, 2)
    assert update.values == {"id": "7", "name": "a\tb", "note": None, "body": None}
    assert update.unchanged == {"body"}
    assert delete.operation is DlqOperation.DELETE
    assert delete.values == {"id": "8"}
    assert delete.only_key


def test_an_edit_changes_one_value_and_says_that_it_is_known_now() -> None:
    edited = edit_row(PAYLOAD, 0, {"name": "c\\d\n", "body": "whole"})
    update, delete = read_rows(edited)
    assert update.values == {"id": "7", "name": "c\\d\n", "note": None, "body": "whole"}
    assert update.unchanged == frozenset()
    assert delete == read_rows(PAYLOAD)[1]
    assert edited.flags == {"has_deletes"}
    assert edit_row(PAYLOAD, 0, {"name": None}).flags == PAYLOAD.flags
    assert read_rows(edit_row(PAYLOAD, 0, {"name": None}))[0].values["name"] is None


@pytest.mark.parametrize(
    ("index", "name", "code"),
    [
        (2, "name", "CHANGE_NOT_FOUND"),
        (0, "nothing", "COLUMN_NOT_FOUND"),
        (0, "id", "KEY_NOT_EDITABLE"),
        (1, "name", "NOTHING_TO_EDIT"),
    ],
)
def test_what_cannot_be_edited(index: int, name: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        edit_row(PAYLOAD, index, {name: "x"})
    assert raised.value.code == code


def test_the_columns_that_lead_a_line_are_those_of_the_engine() -> None:
    head = PAYLOAD.data.split(b"\n")[0].split(b"\t")
    assert len(head) == len(META_COLUMN_NAMES) + len(COLUMNS)
