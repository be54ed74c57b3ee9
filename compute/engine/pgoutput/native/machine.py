"""The compiled way of ordinary messages; see `compute.engine.pgoutput.swift.Machine`."""

from __future__ import annotations

import ctypes
import secrets
from collections.abc import Mapping
from typing import Final

from compute.core.batch import TableChanges, TableSpec
from compute.engine.pgoutput.errors import StreamError
from compute.engine.pgoutput.lines import CREATE, DELETE, UPDATE, Key
from compute.engine.pgoutput.native import library as native
from compute.engine.pgoutput.protocol import Relation
from compute.engine.pgoutput.swift import NO_LSN, Place, Room, widened
from compute.engine.pgoutput.tables import Image, Keyed, Table, as_it_was, leads, table_for

_OPERATIONS: Final = {operation[0]: operation for operation in (CREATE, UPDATE, DELETE)}
_NO_MEMORY: Final = -1


class NativePlace(native.PlaceFields):
    """A `Place`; its text is made when it is asked for."""

    @property
    def transaction(self) -> bytes:
        return b"%d\t%d" % (self.xid, self.micros)

    def begin(self, xid: int, micros: int) -> None:
        """See `Place`."""
        self.xid, self.micros, self.in_transaction, self.lsn = widened(xid, self.xid), micros, True, NO_LSN


class NativeMachine:
    """Runs the library's code; what it has no way for goes Python's."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._seed = secrets.randbits(64)
        self._known: Mapping[bytes, Table | None] = {}
        self._oids: ctypes.Array[ctypes.c_uint32] = (ctypes.c_uint32 * 0)()
        self._tables: ctypes.Array[ctypes.c_void_p] = (ctypes.c_void_p * 0)()
        self._count = 0
        self._place = NativePlace()

    def start(self, base: int) -> Place:
        self._place = NativePlace(base=base, lsn=NO_LSN, newest=-1)
        return self._place

    def table(self, relation: Relation, spec: TableSpec) -> Table:
        spec = as_it_was(relation, spec)
        if spec.fold and leads(relation, spec):
            return NativeFolded(self._library, self._seed, relation, spec)
        return table_for(relation, spec)

    def run(self, tables: Mapping[bytes, Table | None], buffer: bytes, at: int, room: Room) -> int:
        if tables is not self._known or len(tables) != self._count:
            self._learn(tables)
        known = len(self._oids)
        reached: int = self._library.run(
            ctypes.byref(self._place), self._oids, self._tables, known, buffer, len(buffer), at, *room
        )
        return _checked(reached)

    def _learn(self, tables: Mapping[bytes, Table | None]) -> None:
        pairs = [
            (int.from_bytes(oid), None if table is None else table.images.handle)
            for oid, table in tables.items()
            if table is None or isinstance(table, NativeFolded)
        ]
        self._oids = (ctypes.c_uint32 * len(pairs))(*(oid for oid, _ in pairs))
        self._tables = (ctypes.c_void_p * len(pairs))(*(handle for _, handle in pairs))
        self._known, self._count = tables, len(tables)


class NativeImages:
    """See `Images`; the library keeps them, and writes them out."""

    def __init__(self, library: ctypes.CDLL, columns: int, seed: int) -> None:
        self._library = library
        self.handle: int | None = library.table_new(columns, seed)
        if self.handle is None:
            raise MemoryError

    def __del__(self) -> None:
        handle, self.handle = getattr(self, "handle", None), None
        if handle is not None:
            self._library.table_free(handle)

    def get(self, key: Key) -> Image | None:
        found = self._library.table_find(self.handle, key, len(key))
        if not found:
            return None
        image = found.contents
        row = ctypes.string_at(image.row, image.row_size) if image.row else None
        origin = ctypes.string_at(image.origin, image.origin_size) if image.origin else None
        stamp = image.lsn, image.ordinal, b"%d\t%d" % (image.xid, image.micros)
        return _OPERATIONS[image.operation], row, origin, *stamp

    def __setitem__(self, key: Key, image: Image) -> None:
        operation, row, origin, lsn, ordinal, transaction = image
        stamp = (ctypes.c_int64 * 4)(lsn, ordinal, *map(int, transaction.split(b"\t")))
        rest = row, len(row or b""), origin, len(origin or b""), ctypes.byref(stamp), ctypes.byref(ctypes.c_int64())
        _checked(self._library.table_put(self.handle, key, len(key), operation[0], *rest))

    def lines(self) -> tuple[bytes, native.Text]:
        """What each key has become, as lines, and how many of them are what."""
        text = native.Text()
        _checked(self._library.table_text(self.handle, ctypes.byref(text)))
        try:
            return ctypes.string_at(text.text, text.size), text
        finally:
            self._library.text_free(ctypes.byref(text))


class NativeFolded(Keyed):
    """What `Folded` is, with images of the library."""

    def __init__(self, library: ctypes.CDLL, seed: int, relation: Relation, spec: TableSpec) -> None:
        self.images = NativeImages(library, len(relation.columns), seed)
        super().__init__(relation, spec, self.images)

    def finish(self) -> TableChanges:
        data, count = self.images.lines()
        return TableChanges(
            table=self._writer.table,
            columns=self.columns,
            key=self._writer.key,
            row_count=count.rows,
            data=data,
            folded=True,
            has_deletes=count.deletes > 0,
            has_unchanged=count.unchanged > 0,
            has_moved=count.moved > 0,
            types=self._writer.types,
        )


def _checked(answer: int) -> int:
    if answer == _NO_MEMORY:
        raise MemoryError
    if answer < 0:
        raise StreamError("a message is not what pgoutput sends")
    return answer
