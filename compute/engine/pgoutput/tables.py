"""The changes of one table in one batch, in stream order: folded to one per key, or all of them.

A row is kept as the message that brought it, and taken apart when the batch is. `ordinal` is that of the
change's first line; an update that carries the old row has two, for its old row goes and its new one comes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Protocol

from compute.core.batch import TableChanges, TableSpec
from compute.engine.pgoutput.errors import StreamError
from compute.engine.pgoutput.lines import CREATE, DELETE, UPDATE, Key, LineWriter
from compute.engine.pgoutput.protocol import NEW, ROW_AT, TEXT, UNCHANGED, Relation, Value, insert_of, values

# Of a relation's identity: the primary key, or all columns.
_PRIMARY_KEY: Final = "d"
_FULL: Final = "f"

# Where a row's first value tells of what kind it is, and where its text begins, behind four bytes of length.
_FIRST_AT: Final = ROW_AT + 2
_TEXT_AT: Final = _FIRST_AT + 5

# Estimated memory of a key and its image beside the message's bytes.
IMAGE_BYTES: Final = 300

# What a batch does to one key, all its changes taken together: operation ('c' when the first change was an insert
# and the row was not deleted since), the row's message (None: it is gone), the key of the target's row that
# unchanged values come from (None: there was none), and LSN, ordinal and transaction of the newest change.
# A tuple, for one is made per change.
Image = tuple[bytes, bytes | None, Key | None, int, int, bytes]


class Table(Protocol):
    """Each change returns how many bytes more are held."""

    @property
    def shape(self) -> tuple[tuple[str, ...], tuple[str, ...]]: ...
    def insert(self, payload: bytes, lsn: int, ordinal: int, transaction: bytes) -> int: ...
    def update(self, payload: bytes, lsn: int, ordinal: int, transaction: bytes) -> int: ...
    def delete(self, payload: bytes, lsn: int, ordinal: int, transaction: bytes) -> int: ...
    def finish(self) -> TableChanges: ...


def table_for(relation: Relation, spec: TableSpec) -> Table:
    spec = as_it_was(relation, spec)
    if not spec.key:
        return Log(relation)
    if not spec.fold:
        return Kept(relation, spec)
    return Leading(relation, spec) if leads(relation, spec) else Folded(relation, spec)


def as_it_was(relation: Relation, spec: TableSpec) -> TableSpec:
    """`spec` with the key that `relation` itself names, where that is not the one that is known.

    A column of the key was renamed or dropped, or the key is another: by it the table is told to be not what it was.
    """
    names, _ = relation.shape
    identity = () if relation.identity == _FULL else tuple(one.name for one in relation.columns if one.in_identity)
    known = set(spec.key)
    if not identity:
        same = known <= set(names)
    else:
        same = known == set(identity) if relation.identity == _PRIMARY_KEY else known <= set(identity)
    return spec if same or not known else replace(spec, key=identity)


def leads(relation: Relation, spec: TableSpec) -> bool:
    """Whether the key is the first column and no more."""
    return spec.key == (relation.columns[0].name,) if relation.columns else False


def carried(row: bytes, known: bytes) -> bytes:
    """`row` with the values that it left out, as far as `known` has them."""
    if b"u" not in row:
        return row
    new, _ = values(row)
    if UNCHANGED not in new:
        return row
    old, _ = values(known)
    return insert_of([before if value is UNCHANGED else value for value, before in zip(new, old, strict=True)], row)


class Images(Protocol):
    """The newest image of each key."""

    def get(self, key: Key, /) -> Image | None: ...
    def __setitem__(self, key: Key, image: Image, /) -> None: ...


class Keyed:
    """Knows at any time what each key has become; who derives from it says what comes of that."""

    def __init__(self, relation: Relation, spec: TableSpec, images: Images, *, folded: bool = True) -> None:
        self._writer = LineWriter(relation, spec.key, folded=folded)
        self.shape, self.columns = self._writer.shape, self._writer.columns
        self._name = str(relation.table)
        self._places = [self.columns.index(name) for name in spec.key]
        self._reach = max(self._places) + 1
        self._images = images

    def insert(self, payload: bytes, lsn: int, ordinal: int, transaction: bytes) -> int:
        key = self._key(payload)
        old = self._images.get(key)
        if old is None:
            return self._put(key, (CREATE, payload, None, lsn, ordinal, transaction), None)
        return self._put(key, (UPDATE, payload, old[2], lsn, ordinal, transaction), old)

    def update(self, payload: bytes, lsn: int, ordinal: int, transaction: bytes) -> int:
        if payload[5] != NEW:
            before, at = values(payload)
            payload = payload[:5] + payload[at:]
            source, ordinal = self._complete(before), ordinal + 1
            if source is not None and source != (key := self._key(payload)):
                return self._move(source, key, payload, lsn, ordinal, transaction)
        key = self._key(payload)
        old = self._images.get(key)
        if old is None:
            return self._put(key, (UPDATE, payload, key, lsn, ordinal, transaction), None)
        if old[1] is not None:
            payload = carried(payload, old[1])
        operation = CREATE if old[0] is CREATE else UPDATE
        return self._put(key, (operation, payload, old[2], lsn, ordinal, transaction), old)

    def delete(self, payload: bytes, lsn: int, ordinal: int, transaction: bytes) -> int:
        key = self._complete(values(payload)[0])
        if key is None:
            raise StreamError(
                f"a delete in table {self._name} does not carry its key; set REPLICA IDENTITY to DEFAULT or FULL"
            )
        return self._remove(key, lsn, ordinal, transaction)

    def _move(self, source: Key, key: Key, payload: bytes, lsn: int, ordinal: int, transaction: bytes) -> int:
        known, origin = self._images.get(source), source
        if known is not None and known[1] is not None:
            payload = carried(payload, known[1])
            origin = known[2]  # type: ignore[assignment]  # None when the row is of this batch
        grown = self._remove(source, lsn, ordinal - 1, transaction)
        return grown + self._put(key, (UPDATE, payload, origin, lsn, ordinal, transaction), self._images.get(key))

    def _remove(self, key: Key, lsn: int, ordinal: int, transaction: bytes) -> int:
        return self._put(key, (DELETE, None, None, lsn, ordinal, transaction), self._images.get(key))

    def _put(self, key: Key, image: Image, old: Image | None) -> int:
        self._images[key] = image
        size = len(image[1]) if image[1] is not None else 0
        if old is None:
            return size + IMAGE_BYTES
        return size - len(old[1]) if old[1] is not None else size

    def _write(self, key: Key, image: Image, operation: bytes) -> int:
        _, row, origin, *_ = image
        stamp = image[3:]
        if row is not None:
            return self._writer.row(operation, stamp, values(row)[0], None if origin == key else origin)
        gone: list[Value] = [None] * len(self.columns)
        for place, part in zip(self._places, (key,) if isinstance(key, bytes) else key, strict=True):
            gone[place] = part
        return self._writer.deleted(stamp, gone)

    def _key(self, payload: bytes) -> Key:
        key = self._complete(values(payload, ROW_AT, self._reach)[0])
        if key is None:
            raise StreamError(f"a change in table {self._name} does not carry its key; set REPLICA IDENTITY FULL")
        return key

    def _complete(self, row: list[Value]) -> Key | None:
        """The key in `row`; None where a part of it is missing."""
        parts = [row[place] for place in self._places]
        if None in parts or UNCHANGED in parts:
            return None
        return parts[0] if len(parts) == 1 else tuple(parts)  # type: ignore[arg-type]


class Folded(Keyed):
    """Writes what each key has become in the end."""

    def __init__(self, relation: Relation, spec: TableSpec) -> None:
        self._newest: dict[Key, Image] = {}
        super().__init__(relation, spec, self._newest)

    def finish(self) -> TableChanges:
        plain = self._writer.plain
        for key, image in self._newest.items():
            operation, row, origin, lsn, ordinal, transaction = image
            if (
                row is None
                or (origin is not None and origin != key)
                or not plain(operation, lsn, ordinal, transaction, row)
            ):
                self._write(key, image, operation)
        return self._writer.finish()


class Leading(Folded):
    """Where the first column is the key, what comes most often is done in one call."""

    def insert(self, payload: bytes, lsn: int, ordinal: int, transaction: bytes) -> int:
        if payload[_FIRST_AT] != TEXT:
            return super().insert(payload, lsn, ordinal, transaction)
        key = payload[_TEXT_AT : _TEXT_AT + int.from_bytes(payload[_FIRST_AT + 1 : _TEXT_AT])]
        if (old := self._newest.get(key)) is not None:
            return self._put(key, (UPDATE, payload, old[2], lsn, ordinal, transaction), old)
        self._newest[key] = (CREATE, payload, None, lsn, ordinal, transaction)
        return len(payload) + IMAGE_BYTES

    def update(self, payload: bytes, lsn: int, ordinal: int, transaction: bytes) -> int:
        if payload[ROW_AT - 1] != NEW or payload[_FIRST_AT] != TEXT:
            return super().update(payload, lsn, ordinal, transaction)
        key = payload[_TEXT_AT : _TEXT_AT + int.from_bytes(payload[_FIRST_AT + 1 : _TEXT_AT])]
        if (old := self._newest.get(key)) is None:
            self._newest[key] = (UPDATE, payload, key, lsn, ordinal, transaction)
            return len(payload) + IMAGE_BYTES
        if old[1] is not None:
            payload = carried(payload, old[1])
        operation = CREATE if old[0] is CREATE else UPDATE
        return self._put(key, (operation, payload, old[2], lsn, ordinal, transaction), old)


class Kept(Keyed):
    """Writes every change.

    A value is marked as unchanged only when the row of the target, as it was before the batch, has it.
    """

    def __init__(self, relation: Relation, spec: TableSpec) -> None:
        super().__init__(relation, spec, {}, folded=False)

    def finish(self) -> TableChanges:
        return self._writer.finish()

    def _put(self, key: Key, image: Image, old: Image | None) -> int:
        grown = super()._put(key, image, old)
        return grown + self._write(key, image, image[0] if old is None or image[0] is DELETE else UPDATE)


class Log:
    """Every change of a table without a key: a row is known by all its values."""

    def __init__(self, relation: Relation) -> None:
        self._name = str(relation.table)
        self._writer = LineWriter(relation, ())
        self.shape = self._writer.shape

    def insert(self, payload: bytes, lsn: int, ordinal: int, transaction: bytes) -> int:
        return self._writer.row(CREATE, (lsn, ordinal, transaction), values(payload)[0], None)

    def update(self, payload: bytes, lsn: int, ordinal: int, transaction: bytes) -> int:
        before, at = self._before(payload)
        after = [old if new is UNCHANGED else new for new, old in zip(values(payload, at + 1)[0], before, strict=True)]
        grown = self._writer.deleted((lsn, ordinal, transaction), before)
        return grown + self._writer.row(CREATE, (lsn, ordinal + 1, transaction), after, None)

    def delete(self, payload: bytes, lsn: int, ordinal: int, transaction: bytes) -> int:
        return self._writer.deleted((lsn, ordinal, transaction), self._before(payload)[0])

    def finish(self) -> TableChanges:
        return self._writer.finish()

    def _before(self, payload: bytes) -> tuple[list[Value], int]:
        if payload[5] == NEW:
            raise StreamError(
                f"table {self._name} has no key and sends no old rows;"
                " give it a primary key or set REPLICA IDENTITY FULL"
            )
        return values(payload)
