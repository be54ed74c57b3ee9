"""`python -m compute.bench.rules`: how many changes a second go through the rules of a table sync, on one processor.

Without any server: payloads of an engine's size, ten columns wide, all updates. Into `.reports/rules.json`, in
thousands of changes per second of processor time.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any, Final

from compute.core.batch import TableChanges
from compute.transforms import RowRules
from rosetta.enums import SyncMode
from rosetta.identifiers import TableId
from rosetta.table_rules import MaskingKey, TableRules
from rosetta.types import Column, TableSchema

REPORT: Final = Path(".reports/rules.json")
_ROWS: Final = 8192
_ROUNDS: Final = 20
_TYPES: Final = {
    "id": "bigint",
    "ref": "uuid",
    "name": "text",
    "amount": "numeric(12,2)",
    "at": "timestamp with time zone",
    "doc": "jsonb",
    "ok": "boolean",
    "day": "date",
    "n": "integer",
    "note": "text",
}
_SCHEMA: Final = TableSchema(
    TableId("public", "z"), tuple(Column(name, kind) for name, kind in _TYPES.items()), ("id",), primary_key=("id",)
)
# columns, masks, filters
_CASES: Final[dict[str, tuple[Any, Any, Any]]] = {
    "four_columns_of_ten": (["id", "name", "amount", "n"], None, None),
    "one_column_hashed": (None, {"name": "hash"}, None),
    "filter_keeps_half": (None, None, ["n < 50"]),
    "filter_keeps_one_in_a_hundred": (None, None, ["n = 1"]),
    "filter_by_pattern": (None, None, ["note LIKE 'some%9'"]),
    "columns_hash_and_filter": ({"id": "id", "name": "alias", "n": "n"}, {"name": "hash"}, ["n < 50"]),
}


def main() -> None:
    changes = _payload()
    report = {}
    for name, declared in _CASES.items():
        rules = RowRules(1, TableRules.parse(*declared), _SCHEMA, SyncMode.CURRENT, MaskingKey(bytes(32)))
        rules.apply(changes)  # what is loaded and compiled once does not count
        began = time.process_time()
        for _ in range(_ROUNDS):
            rules.apply(changes)
        report[name] = round(_ROWS * _ROUNDS / (time.process_time() - began) / 1000)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps({"rules_thousand_per_s": report}, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def _payload() -> TableChanges:
    chance = random.Random(42)
    lines = [
        f"u\t{number}\t0\t5\t9\t\\N\t\\N\t{number}\t{chance.getrandbits(128):032x}\tname {number}\t{number}.25\t"
        f'2026-01-01 00:00:00+00\t{{"a": {number}}}\tt\t2026-01-01\t{number % 100}\tsome note about {number}\n'
        for number in range(_ROWS)
    ]
    data = "".join(lines).encode()
    return TableChanges(_SCHEMA.table, _SCHEMA.column_names, _SCHEMA.key, _ROWS, data, True, False, False, False)


if __name__ == "__main__":
    main()
