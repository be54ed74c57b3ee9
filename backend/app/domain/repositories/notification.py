"""What people were told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, DateTime, and_, cast, delete, func, not_, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import IntegrityError

from app.domain.models import Notification
from app.domain.repositories.base import BaseRepository
from app.domain.schemas.notification import NotificationQuery

WORDS: Final = ("severity", "title", "message", "remedy")


class NotificationRepository(BaseRepository[Notification]):
    model = Notification
    entity_type = "notification"
    sortable = ("id", "created_at", "updated_at", "severity")

    async def matching(self, query: NotificationQuery) -> tuple[Sequence[Notification], int]:
        conditions: list[ColumnElement[bool]] = []
        if query.severity is not None:
            conditions.append(Notification.severity == query.severity)
        if query.kind is not None:
            conditions.append(Notification.kind == query.kind)
        if query.pipeline_id is not None:
            conditions.append(Notification.pipeline_id == query.pipeline_id)
        for wanted, column in ((query.unread, Notification.read_at), (query.open, Notification.resolved_at)):
            if wanted is not None:
                conditions.append(column.is_(None) if wanted else column.is_not(None))
        return await self.page(query, conditions)

    async def reword(self, dedup_key: str, values: Mapping[str, Any]) -> bool:
        """The open notification of `dedup_key` takes over the newest words; False: there is none."""
        rows = await self.session.scalars(
            update(Notification)
            .where(Notification.dedup_key == dedup_key, Notification.resolved_at.is_(None))
            .values({name: values[name] for name in WORDS})
            .returning(Notification.id)
            .execution_options(synchronize_session=False)
        )
        return rows.one_or_none() is not None

    async def resolve(self, dedup_key: str) -> None:
        """What was told is over; nothing happens where that is known already."""
        await self.session.execute(
            update(Notification)
            .where(Notification.dedup_key == dedup_key, Notification.resolved_at.is_(None))
            .values(resolved_at=func.now())
            .execution_options(synchronize_session=False)
        )

    async def read_all(self) -> int:
        """Marks all as read but what changes at this moment, which is news; returns how many were not."""
        unread = select(Notification.id).where(Notification.read_at.is_(None)).with_for_update(skip_locked=True)
        rows = await self.session.scalars(
            update(Notification)
            .where(Notification.id.in_(unread))
            .values(read_at=func.now())
            .returning(Notification.id)
            .execution_options(synchronize_session=False)
        )
        return len(rows.all())

    async def raise_alert(self, values: dict[str, Any]) -> Notification:
        """One open notification per `dedup_key`: a repeat counts up and takes over the newest words.

        Raises EntityInUseError when what it is about is gone.
        """
        statement = insert(Notification).values(**values)
        renewed = {name: statement.excluded[name] for name in WORDS}
        statement = statement.on_conflict_do_update(
            index_elements=["dedup_key"],
            index_where=Notification.resolved_at.is_(None),
            set_={**renewed, "occurrences": Notification.occurrences + 1, "updated_at": func.now()},
        )
        try:
            rows = await self.session.scalars(
                statement.returning(Notification), execution_options={"populate_existing": True}
            )
        except IntegrityError as error:
            raise self._translated(error) from error
        row: Notification = rows.one()
        return row

    async def open_of_kinds(self, kinds: Sequence[str]) -> Sequence[Notification]:
        rows = await self.session.scalars(
            select(Notification).where(Notification.kind.in_(kinds), Notification.resolved_at.is_(None))
        )
        return rows.all()

    async def untold(self, channel: str, age: timedelta) -> Notification | None:
        """The oldest row that `channel` has not been told of, raised or resolved (within `age`), and may be now.

        Locked, and none that another worker has.
        """
        told = Notification.delivered[channel]
        not_before = cast(told["not_before"].astext, DateTime(timezone=True))
        raised = told["raised_at"].astext.is_not(None)
        news = or_(
            and_(Notification.resolved_at.is_(None), not_(raised)),
            and_(Notification.resolved_at > func.now() - age, raised, told["resolved_at"].astext.is_(None)),
        )
        return await self.session.scalar(
            select(Notification)
            .where(news, or_(not_before.is_(None), not_before <= func.now()))
            .order_by(Notification.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )

    async def note_delivery(
        self, notification_id: int, channel: str, told: Mapping[str, Any], pause: timedelta | None
    ) -> None:
        """Keeps what `channel` was told; nothing more is due there before `pause` is over. Other channels stay."""
        value = func.jsonb_strip_nulls(
            cast(told, JSONB).concat(
                func.jsonb_build_object("not_before", None if pause is None else func.now() + pause)
            )
        )
        await self.session.execute(
            update(Notification)
            .where(Notification.id == notification_id)
            .values(delivered=Notification.delivered.concat(func.jsonb_build_object(channel, value)))
            .execution_options(synchronize_session=False)
        )

    async def forget(self, age: timedelta) -> None:
        """Deletes what is resolved and older than `age`, but for what somebody else deletes at this moment."""
        old = select(Notification.id).where(Notification.resolved_at < func.now() - age)
        await self.session.execute(
            delete(Notification)
            .where(Notification.id.in_(old.with_for_update(skip_locked=True)))
            .execution_options(synchronize_session=False)
        )
