"""What every repository does: find, page, add, save, delete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, Text, cast, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm.interfaces import ORMOption

from app.core.exceptions import (
    ApplicationError,
    DuplicateEntityError,
    EntityInUseError,
    EntityNotFoundError,
    InvalidRequestError,
)
from app.domain.schemas.base import PageRequest
from rosetta.tables import Base

M = TypeVar("M", bound=Base)
R = TypeVar("R")


class BaseRepository(Generic[M]):
    """Queries of one table inside the caller's transaction; never commits, never rolls back.

    Attributes:
        entity_type: the table's rows as errors and the audit log call them.
        sortable: columns a list may be sorted by; the first is the default.
    """

    model: type[M]
    entity_type: ClassVar[str]
    sortable: ClassVar[tuple[str, ...]] = ("id",)

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, entity_id: int, *, lock: bool = False, options: Sequence[ORMOption] = ()) -> M:
        """The row with this id; `lock` keeps others from changing it until the end of the transaction.

        Raises EntityNotFoundError when there is none.
        """
        row = await self.session.get(
            self.model, entity_id, with_for_update=lock or None, options=options, populate_existing=True
        )
        if row is None:
            raise EntityNotFoundError(self.entity_type, entity_id)
        return row

    async def require(self, entity_ids: Iterable[int]) -> None:
        """Raises EntityNotFoundError for the first of these ids that no row has."""
        wanted = list(dict.fromkeys(entity_ids))
        identity = self._column("id")
        found = set(await self.session.scalars(select(identity).where(identity.in_(wanted))))
        for entity_id in wanted:
            if entity_id not in found:
                raise EntityNotFoundError(self.entity_type, entity_id)

    async def page(
        self,
        request: PageRequest,
        conditions: Sequence[ColumnElement[bool]] = (),
        options: Sequence[ORMOption] = (),
    ) -> tuple[Sequence[M], int]:
        """Rows of a page and the count of all that match. Raises InvalidRequestError for an unknown sort field."""
        rows = await self.session.scalars(self._part(select(self.model).where(*conditions).options(*options), request))
        return rows.all(), await self._count(conditions)

    async def json_page(
        self,
        request: PageRequest,
        item: ColumnElement[Any],
        conditions: Sequence[ColumnElement[bool]] = (),
    ) -> tuple[Sequence[str], int]:
        """As `page`, but each row is the text of the JSON `item` that the database makes of it (see `projection`)."""
        identity = self._column("id")
        # Chosen first: of rows that OFFSET passes over, too, everything that is selected is made.
        chosen = self._part(select(identity).where(*conditions), request).subquery()
        statement = select(cast(item, Text)).where(identity.in_(select(chosen.c.id)))
        texts = await self.session.scalars(self._ordered(statement, request.sort))
        return texts.all(), await self._count(conditions)

    async def _count(self, conditions: Sequence[ColumnElement[bool]]) -> int:
        return await self.session.scalar(select(func.count()).select_from(self.model).where(*conditions)) or 0

    def _part(self, statement: Select[R], request: PageRequest) -> Select[R]:
        return self._ordered(statement, request.sort).limit(request.limit).offset(request.offset)

    def _ordered(self, statement: Select[R], sort: str | None) -> Select[R]:
        name = (sort or self.sortable[0]).removeprefix("-")
        if name not in self.sortable:
            raise InvalidRequestError(
                f"A list of {self.entity_type}s cannot be sorted by that field.",
                code="UNKNOWN_SORT_FIELD",
                remedy=f"Sort by one of: {', '.join(self.sortable)}; with `-` before it for descending.",
            )
        column = self._column(name)
        order = column.desc() if sort and sort.startswith("-") else column.asc()
        return statement.order_by(order, self._column("id").asc())

    def _column(self, name: str) -> InstrumentedAttribute[Any]:
        column: InstrumentedAttribute[Any] = getattr(self.model, name)
        return column

    async def add(self, row: M) -> M:
        """Inserts at once, so that the id and all defaults are there. Raises as `flush` does."""
        self.session.add(row)
        await self.flush()
        return row

    async def add_all(self, rows: Sequence[M]) -> None:
        """Inserts several at once. Raises as `flush` does."""
        self.session.add_all(rows)
        await self.flush()

    async def delete(self, row: M) -> None:
        """Deletes at once. Raises EntityInUseError while another row refers to it."""
        await self.session.delete(row)
        await self.flush()

    async def flush(self) -> None:
        """Sends pending changes. Raises DuplicateEntityError, EntityInUseError or InvalidRequestError."""
        try:
            await self.session.flush()
        except IntegrityError as error:
            raise self._translated(error) from error

    def _translated(self, error: IntegrityError) -> ApplicationError:
        """The text of the database is not passed on: it quotes the row."""
        state = getattr(error.orig, "sqlstate", None)
        if state == "23505":
            return DuplicateEntityError(
                f"There is such a {self.entity_type} already.",
                remedy="Choose another name, or change the existing one.",
                details={"entity_type": self.entity_type},
            )
        if state == "23503":
            return EntityInUseError(
                f"This {self.entity_type} is in use, or refers to something that is gone.",
                remedy="Remove what uses it first, or name what exists.",
                details={"entity_type": self.entity_type},
            )
        return InvalidRequestError(
            f"The config database refuses these values of a {self.entity_type}.",
            remedy="Compare the values with the API's description.",
            details={"entity_type": self.entity_type},
        )


def contains(column: InstrumentedAttribute[str], part: str | None) -> list[ColumnElement[bool]]:
    """The condition that `column` holds `part` in any case, as a list that is empty without one."""
    return [column.icontains(part, autoescape=True)] if part else []
