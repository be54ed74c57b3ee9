"""Settings that can be changed while the services run."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app.domain.models import Setting
from app.domain.repositories.base import BaseRepository


class SettingRepository(BaseRepository[Setting]):
    model = Setting
    entity_type = "setting"
    sortable = ("key", "updated_at")

    async def all(self) -> dict[str, object]:
        rows = await self.session.execute(select(Setting.key, Setting.value).order_by(Setting.key))
        return {row.key: row.value for row in rows}

    async def put(self, values: Mapping[str, object]) -> None:
        """Sets several at once, new or not."""
        if not values:
            return
        statement = insert(Setting).values([{"key": key, "value": value} for key, value in values.items()])
        await self.session.execute(
            statement.on_conflict_do_update(index_elements=["key"], set_={"value": statement.excluded.value})
        )

    async def remove(self, keys: Collection[str]) -> None:
        await self.session.execute(delete(Setting).where(Setting.key.in_(keys)))
