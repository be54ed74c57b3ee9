"""Labels that an enum has got at the source since its table was looked at: the stream does not tell of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from compute.destinations.base import Refusal, TableTarget
from rosetta.errors import RosettaError
from rosetta.identifiers import TableId
from rosetta.types import TableSchema

_INVALID_TEXT = "PG_22P02"

SchemaOf = Callable[[TableId], TableSchema | None]


class TypesGrewError(Exception):
    """Raised instead of parking what a target refused only because its types lack labels: undoes the batch.

    `targets`: with their schemas as they are now, for `ensure_table`.
    """

    def __init__(self, targets: Iterable[TableTarget]) -> None:
        super().__init__("types have grown")
        self.targets = tuple(targets)


def with_new_labels(target: TableTarget, error: RosettaError, current: SchemaOf) -> TableTarget | None:
    """`target` with its source as it is now, if `error` may come of a label that it does not have yet, else None.

    Raises OutageError when the source cannot be asked.
    """
    known = _labels(target.schema)
    if error.code != _INVALID_TEXT or not known:
        return None
    schema = current(target.source)
    if schema is None:
        return None
    grown = target.of(schema)
    if all(set(labels) <= set(known.get(name, ())) for name, labels in _labels(grown.schema).items()):
        return None
    return grown


def check_labels(refusal: Refusal, targets: Mapping[int, TableTarget], current: SchemaOf) -> None:
    """Raises TypesGrewError when a table of the refusal lacks labels, OutageError when the source cannot be asked."""
    errors = {record.target.sync_id: record.error for record in refusal.records} | dict(refusal.tables)
    grown = [
        target
        for sync_id, error in errors.items()
        if sync_id in targets and (target := with_new_labels(targets[sync_id], error, current)) is not None
    ]
    if grown:
        raise TypesGrewError(grown)


def _labels(schema: TableSchema) -> dict[tuple[str, str], tuple[str, ...]]:
    return {
        (type_.schema, type_.name): type_.definition
        for column in schema.columns
        for type_ in column.user_types
        if type_.kind == "enum"
    }
