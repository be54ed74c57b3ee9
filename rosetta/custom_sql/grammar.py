"""Which statements may run: known parts only. Pure: DuckDB's own parse tree in, the tree that is run out.

A batch is whatever changes happened to arrive together, and the same change may arrive again in another batch. So a
statement may depend on nothing but its row: no aggregate, window, order or limit, no clock, no chance, no other
table. The lists below name what is allowed; what nobody thought of is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rosetta.custom_sql.functions import AGGREGATES, SCALARS

Tree = Mapping[str, Any]

TABLE: Final = "batch"
ROW: Final = "_rosetta_row"
_OWN: Final = "_rosetta"
_EMPTY_PARTS: Final = {
    "modifiers": "ORDER BY, LIMIT and DISTINCT depend on which rows happened to arrive together",
    "group_expressions": "GROUP BY sees the rows of one batch only, not the table",
    "group_sets": "GROUP BY sees the rows of one batch only, not the table",
    "having": "HAVING sees the rows of one batch only, not the table",
    "sample": "a sample is not the same when a change arrives again",
    "qualify": "QUALIFY sees the rows of one batch only, not the table",
}
_CAST_NAMES: Final = """
    BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT FLOAT DOUBLE DECIMAL VARCHAR
    BLOB DATE TIME TIMESTAMP UUID JSON
"""
_CASTS: Final = frozenset([*_CAST_NAMES.split(), "TIMESTAMP WITH TIME ZONE"])
_INNER: Final = {
    "CONSTANT": (),
    "CASE": ("case_checks", "else_expr"),
    "CAST": ("child",),
    "COMPARISON": ("left", "right"),
    "CONJUNCTION": ("children",),
    "OPERATOR": ("children",),
    "BETWEEN": ("input", "lower", "upper"),
    "LAMBDA": ("lhs", "expr"),  # so the arrow of JSON is parsed; no function here takes a lambda
    "FUNCTION": ("children",),
}
_NEVER: Final = {
    "SUBQUERY": "a query within the query",
    "WINDOW": "a window, which sees the rows of one batch only, not the table",
    "PARAMETER": "a parameter",
    "POSITIONAL_REFERENCE": "a column by its number",
    "COLLATE": "a collation",
    "STAR": "a star inside an expression",
}


class RefusedError(Exception):
    """The statement is not one that may run; the text says why, without any value of it."""


class Select:
    """One SELECT over `batch`; raises RefusedError unless every part of it is known to be harmless.

    Attributes:
        items: the select list, stars taken apart.
        where: the condition, or None.
        alias: another name of `batch`, or None.
    """

    def __init__(self, statements: Sequence[Tree], columns: Sequence[str]) -> None:
        if len(statements) != 1:
            raise RefusedError("one statement is needed, not several")
        node = statements[0]["node"]
        if node["type"] != "SELECT_NODE":
            raise RefusedError("one plain SELECT is needed: no UNION and no WITH")
        if node["cte_map"]["map"]:
            raise RefusedError("WITH is not allowed: one plain SELECT over batch is needed")
        for part, reason in _EMPTY_PARTS.items():
            if node[part]:
                raise RefusedError(reason)
        if node["aggregate_handling"] != "STANDARD_HANDLING":
            raise RefusedError("GROUP BY sees the rows of one batch only, not the table")
        self.alias = _alias(node["from_table"])
        self._columns = columns
        self.items = [item for listed in node["select_list"] for item in self._item(listed)]
        self.where: Tree | None = node["where_clause"]
        if self.where is not None:
            self._check(self.where)
        self._names()

    def name(self, item: Tree) -> str | None:
        """How the column of a select item is called; None for an expression without AS."""
        if item["alias"]:
            return str(item["alias"])
        return self.source(item)

    def source(self, item: Tree) -> str | None:
        """The column that a select item passes on as it is; None when it computes one."""
        if item["class"] != "COLUMN_REF":
            return None
        wanted = str(item["column_names"][-1])
        exact = [name for name in self._columns if name == wanted]
        return exact[0] if exact else next(name for name in self._columns if name.lower() == wanted.lower())

    def _names(self) -> None:
        taken: set[str] = set()
        for number, item in enumerate(self.items, start=1):
            name = self.name(item)
            if name is None:
                raise RefusedError(f"column {number} of the SELECT has no name: add AS")
            if name.lower() in taken:
                raise RefusedError(f"two columns of the SELECT are called {name}")
            if name.lower().startswith(_OWN):
                raise RefusedError(f"the name {name} is Rosetta's own")
            taken.add(name.lower())

    def _item(self, item: Tree) -> list[Tree]:
        if item["class"] != "STAR":
            self._check(item)
            return [item]
        if item["columns"] or item["replace_list"] or item["rename_list"] or item["qualified_exclude_list"]:
            raise RefusedError("of a star only EXCLUDE is allowed")
        if item["relation_name"]:
            self._check_table(str(item["relation_name"]))
        left_out = {str(name).lower() for name in item["exclude_list"]}
        unknown = left_out - {name.lower() for name in self._columns}
        if unknown:
            raise RefusedError("EXCLUDE names a column that the table does not have")
        return [column_ref(name) for name in self._columns if name.lower() not in left_out]

    def _check(self, tree: Tree) -> None:
        kind = tree["class"]
        if kind == "COLUMN_REF":
            self._check_column([str(name) for name in tree["column_names"]])
            return
        if kind == "FUNCTION":
            _check_function(tree)
        elif kind == "CAST" and tree["cast_type"]["id"] not in _CASTS:
            raise RefusedError(f"a cast to {tree['cast_type']['id']} is not allowed")
        elif kind not in _INNER:
            raise RefusedError(f"{_NEVER.get(kind, kind.lower())} is not allowed")
        for name in _INNER[kind]:
            self._check_inner(tree[name])

    def _check_inner(self, part: Any) -> None:
        if part is None:
            return
        if isinstance(part, Sequence):
            for one in part:
                self._check_inner(one)
        elif "class" in part:
            self._check(part)
        else:  # WHEN and THEN
            self._check(part["when_expr"])
            self._check(part["then_expr"])

    def _check_column(self, names: list[str]) -> None:
        if len(names) > 2:
            raise RefusedError("a column is named by itself, or by batch and itself")
        if len(names) == 2:
            self._check_table(names[0])
        if names[-1].lower() not in {name.lower() for name in self._columns}:
            raise RefusedError(f"the table has no column {names[-1]}")

    def _check_table(self, name: str) -> None:
        if name.lower() != (self.alias or TABLE).lower():
            raise RefusedError(f"there is no {name} here: the one table is called {self.alias or TABLE}")


def column_ref(name: str) -> Tree:
    """The tree of a plain column."""
    return {"class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "", "query_location": 0, "column_names": [name]}


def _alias(source: Tree) -> str | None:
    if source["type"] != "BASE_TABLE":
        raise RefusedError("FROM batch is needed, and nothing else in FROM")
    elsewhere = source["schema_name"] or source["catalog_name"] or source["sample"] or source["at_clause"]
    if str(source["table_name"]).lower() != TABLE or elsewhere or source["column_name_alias"]:
        raise RefusedError("FROM batch is needed, and nothing else in FROM")
    return str(source["alias"]) or None


def _check_function(tree: Tree) -> None:
    name = str(tree["function_name"]).lower()
    if name in AGGREGATES:
        raise RefusedError(
            f"{name} is an aggregate: it would see the rows of one batch only, not the table. Aggregate at the target"
        )
    plain = not (tree["schema"] or tree["catalog"] or tree["filter"] or tree["distinct"] or tree["export_state"])
    if name not in SCALARS or not plain or tree["order_bys"]["orders"]:
        raise RefusedError(f"the function {name} is not allowed")
