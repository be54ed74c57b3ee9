"""Bodies and answers of the dead-letter queue.

Row values stand in the answer to one record only, and only for operators and admins; no list, error, log line or
audit entry holds any.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from app.domain.schemas.base import MAX_ID, Body, Id, Identifier, Page, PageRequest, Stamped, Text, View
from app.domain.schemas.pipeline import LsnText
from rosetta.enums import DlqKind, DlqOperation, DlqState, ErrorClass

KeyText = Annotated[list[Text], Field(min_length=1, max_length=32)]
ErrorCode = Annotated[Text, Field(min_length=1, max_length=100)]
_KEY_HELP = "text of the key's columns, in their order; needs `table_name` too"


def _said(reason: str) -> str:
    if not reason.strip():
        raise ValueError("a reason says something")
    return reason


class CountView(View):
    """How many changes are parked: those inside segments count one by one."""

    count: int


class DlqQuery(PageRequest):
    """Newest first with `sort=-id`. `cursor` is the `next_cursor` of the page before, and goes before `offset`."""

    cursor: Id | None = None
    schema_name: Identifier | None = None
    table_name: Identifier | None = None
    error_class: ErrorClass | None = None
    error_code: ErrorCode | None = None
    kind: DlqKind | None = None
    state: list[DlqState] | None = Field(default=None, max_length=5, description="left out: the open ones")
    key: KeyText | None = Field(default=None, description=_KEY_HELP)


class DlqView(Stamped):
    """A parked change (RECORD), or a table's part of one batch (SEGMENT), without its values.

    `waits_behind`: an older parked change of the same row must go first. `next_attempt_at` null: only a request
    tries it again.
    """

    kind: DlqKind
    table_sync_id: int | None
    schema_name: str
    table_name: str
    operation: DlqOperation | None
    row_count: int
    payload_bytes: int
    commit_lsn: LsnText
    change_lsn: LsnText
    ordinal: int
    source_xid: int | None
    commit_time: datetime | None
    state: DlqState
    error_class: ErrorClass
    error_code: str | None
    error_message: str
    attempts: int
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    waits_behind: bool
    retry_requested_at: datetime | None
    edited_by: int | None
    discarded_by: int | None
    discard_reason: str | None


class DlqPage(Page[DlqView]):
    next_cursor: int | None = Field(description="for the page after this one; null at the end")


class DlqGroupView(View):
    """Open records of one table that were parked for the same reason."""

    schema_name: str
    table_name: str
    error_class: ErrorClass
    error_code: str | None
    records: int
    changes: int = Field(description="in these records: those inside segments count one by one")


class DlqGroups(View):
    """Those with the most changes first; `total` counts all of them."""

    items: list[DlqGroupView]
    total: int


class ChangeView(View):
    """One change. Values are in the text form of the source's types; null in `values` is NULL."""

    operation: DlqOperation
    lsn: LsnText
    values: dict[str, str | None] | None = Field(description="null for viewers, who may not see values")
    unchanged: list[str] = Field(description="columns the source did not send, because they did not change")


class NeighboursView(View):
    """Open records of the same row, or of a segment's table; `count` goes up to 1000, `ids` are the nearest."""

    count: int
    ids: list[int]


class DlqDetailView(DlqView):
    """A record with its first changes. A closed one has none: what it held was forgotten with its end."""

    columns: list[str]
    key_columns: list[str]
    truncates: bool = Field(description="the source emptied the table")
    changes: list[ChangeView]
    behind: NeighboursView = Field(description="what waits for this record")
    ahead: NeighboursView = Field(description="what this record waits for")


class DlqEdit(Body):
    """New values for one change of a record, in the text form of the source's types; the key cannot be edited."""

    values: dict[Identifier, Text | None] = Field(min_length=1, max_length=1600)
    change: int = Field(default=0, ge=0, le=MAX_ID, description="which of the record's changes, from 0")


class DlqFilter(Body):
    """Open records that meet all of these."""

    schema_name: Identifier | None = None
    table_name: Identifier | None = None
    error_class: ErrorClass | None = None
    error_code: ErrorCode | None = None
    kind: DlqKind | None = None
    key: KeyText | None = Field(default=None, description=_KEY_HELP)

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.sent():
            raise ValueError("name at least one property, or say `all`")
        return self


class Selection(Body):
    """Which open records: by `ids`, by `filter`, or `all` of them."""

    ids: list[Id] = Field(default_factory=list, max_length=1000)
    filter: DlqFilter | None = None
    all: bool = False

    @property
    def ways(self) -> int:
        return bool(self.ids) + (self.filter is not None) + self.all


class RecoverRequest(Selection):
    """Without a selection everything is meant."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.ways > 1:
            raise ValueError("select by one of `ids`, `filter` and `all`")
        return self


class DiscardRequest(Selection):
    """Discarding cannot be undone, so it needs a selection and a reason."""

    reason: Annotated[Text, Field(min_length=1, max_length=1000), AfterValidator(_said)]

    @model_validator(mode="after")
    def _exactly_one_way(self) -> Self:
        if self.ways != 1:
            raise ValueError("select by exactly one of `ids`, `filter` and `all`")
        return self


class RecoverView(View):
    """What compute was asked to try again. `complete` false: a large selection has more; ask again."""

    asked: int = Field(description="records")
    changes: int
    complete: bool
    warnings: list[str]


class DiscardView(View):
    """What was discarded. `complete` false: a large selection has more; ask again."""

    discarded: int = Field(description="records")
    changes: int
    complete: bool
