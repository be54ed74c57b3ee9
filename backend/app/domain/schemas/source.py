"""Bodies and answers of /sources."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr, model_validator

from app.domain.schemas.base import Body, Id, Identifier, Name, PageRequest, Stamped, Text
from app.domain.schemas.cleanup import CleanupView
from rosetta.enums import SslMode

Host = Annotated[Text, Field(min_length=1, max_length=253)]
Port = Annotated[int, Field(ge=1, le=65535)]
ReplicationName = Annotated[str, Field(pattern="^[a-z0-9_]{1,40}$")]


class SourceConnection(Body):
    """How to reach a source; the body of a connection test of an unsaved one."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"id", "created_at", "updated_at", "has_password", "publication_owned", "system_identifier", "server_version"}
        | {"pending_cleanup"}
    )

    pg_host: Host
    pg_port: Port = 5432
    pg_database: Identifier
    pg_username: Identifier
    pg_password: SecretStr | None = Field(default=None, max_length=1024)
    sslmode: SslMode = SslMode.PREFER


class SourceTest(SourceConnection):
    """A source as the form has it before it is saved; only the connection is looked at."""

    name: Name | None = None
    publication_name: Identifier | None = None
    replication_id: Id | None = None
    replication_name: ReplicationName | None = None


class SourceCreate(SourceConnection):
    name: Name
    publication_name: Identifier
    replication_id: Id | None = Field(default=None, description="first part of slot names; the source's id if left out")
    replication_name: ReplicationName | None = Field(default=None, description="replaces `rosetta_{replication_id}`")


class SourceUpdate(Body):
    """What is left out, or null, stays as it is; an empty password too."""

    read_only: ClassVar[frozenset[str]] = SourceConnection.read_only

    name: Name | None = None
    pg_host: Host | None = None
    pg_port: Port | None = None
    pg_database: Identifier | None = None
    pg_username: Identifier | None = None
    pg_password: SecretStr | None = Field(default=None, max_length=1024)
    sslmode: SslMode | None = None
    publication_name: Identifier | None = None
    replication_id: Id | None = None
    replication_name: ReplicationName | None = None


class SourceView(Stamped):
    """A source; the password is write-only."""

    name: str
    pg_host: str
    pg_port: int
    pg_database: str
    pg_username: str
    has_password: bool
    sslmode: SslMode
    publication_name: str
    publication_owned: bool
    replication_id: int
    replication_name: str | None
    system_identifier: str | None
    server_version: int | None

    @model_validator(mode="before")
    @classmethod
    def _hide(cls, row: Any) -> Any:
        if isinstance(row, dict):
            return row
        shown = {name: getattr(row, name) for name in cls.model_fields if name != "has_password"}
        return shown | {"has_password": bool(row.pg_password)}


class SourceDetailView(SourceView):
    pending_cleanup: list[CleanupView] = Field(description="what compute still has to remove there")


class Duplicate(Body):
    """Body of both duplicate routes; without a name the copy is called `{name} (copy)`."""

    name: Name | None = None


class SourceQuery(PageRequest):
    name: str | None = Field(default=None, max_length=200, description="part of the name, in any case")
