"""The file: strictly read, so that nothing in it is passed over and nothing happens before all of it is understood."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from rosetta.enums import DesiredStatus, DestinationType, EngineKind, ParkPolicy, Profile, WalBudgetPolicy
from rosetta.errors import ConfigurationError
from rosetta.filters import parse_filters
from rosetta.local.settings import environment_variable

MAX_FILE_BYTES: Final = 5_000_000
MAX_SECRET_CHARACTERS: Final = 65_536
SECRET_FIELDS: Final = frozenset(
    {"pg_password", "snowflake_private_key", "snowflake_private_key_passphrase", "snowflake_password"}
)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SecretReference(_Strict):
    """Where a secret is: a variable of the environment, or a file whose trailing line break is not part of it."""

    env: str | None = Field(default=None, pattern=_NAME.pattern + "$")
    file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> SecretReference:
        if (self.env is None) == (self.file is None):
            raise ValueError("a secret is given as {env: NAME} or as {file: path}")
        return self

    def read(self, place: str) -> str:
        """The secret. Raises ConfigurationError, naming the variable or the file, when it cannot be had."""
        if self.env is not None:
            value = environment_variable(self.env)
            if not value:
                raise ConfigurationError(
                    f"{place}: the variable {self.env} is not set",
                    code="SECRET_NOT_FOUND",
                    remedy=f"Set {self.env} in the environment of this command.",
                )
            return value
        path = self.file or Path()
        try:
            with path.expanduser().open(encoding="utf-8") as file:  # which may have no end
                text = file.read(MAX_SECRET_CHARACTERS + 1)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{place}: the file {path} cannot be read ({type(error).__name__})",
                code="SECRET_NOT_FOUND",
                remedy="Check the path and its rights.",
            ) from None
        if len(text) > MAX_SECRET_CHARACTERS:
            raise ConfigurationError(
                f"{place}: the file {path} has more than {MAX_SECRET_CHARACTERS} characters",
                code="SECRET_TOO_LARGE",
                remedy="Name the file that holds the secret and nothing else.",
            )
        return text.removesuffix("\n")


class DeclaredSource(_Strict):
    name: str = Field(min_length=1)
    pg_host: str
    pg_port: int = 5432
    pg_database: str
    pg_username: str
    pg_password: SecretReference | None = None
    sslmode: str = "prefer"
    publication_name: str
    replication_id: int | None = None
    replication_name: str | None = None


class DeclaredDestination(_Strict):
    name: str = Field(min_length=1)
    type: DestinationType
    config: dict[str, str | int | SecretReference | None]

    @field_validator("config")
    @classmethod
    def _secrets_by_reference(cls, config: dict[str, Any]) -> dict[str, Any]:
        for key, value in config.items():
            if (key in SECRET_FIELDS) != isinstance(value, SecretReference):
                wanted = "is a secret: give {env: NAME} or {file: path}" if key in SECRET_FIELDS else "is no secret"
                raise ValueError(f"{key} {wanted}")
        return config


class DeclaredTable(_Strict):
    schema_name: str = "public"
    table_name: str
    target_schema: str | None = None
    target_name: str | None = None
    mode: Literal["current", "append"] = "current"
    delete_mode: Literal["hard", "soft"] = "hard"
    schema_policy: Literal["evolve", "ignore", "pause"] = "evolve"
    columns: list[str] | dict[str, str] | None = None
    filters: list[Any] = Field(default_factory=list, max_length=5)
    custom_sql: str | None = None
    masks: dict[str, Any] = Field(default_factory=dict)

    @field_validator("filters")
    @classmethod
    def _typed(cls, filters: list[Any]) -> list[Any]:
        """As they are stored, however they are written, so that a plan shows what really changes."""
        try:
            return [condition.as_object() for condition in parse_filters(filters)]
        except ConfigurationError as error:
            raise ValueError(error.message) from None

    @property
    def identity(self) -> tuple[str, str, str | None, str | None]:
        """What tells it from other syncs of its destination."""
        return self.schema_name, self.table_name, self.target_schema, self.target_name


class DeclaredFanOut(_Strict):
    """`tables` left out: every table of the publication."""

    destination: str
    park_policy: ParkPolicy = ParkPolicy.BLOCK
    tables: list[DeclaredTable] | None = None

    @field_validator("tables")
    @classmethod
    def _each_once(cls, tables: list[DeclaredTable] | None) -> list[DeclaredTable] | None:
        _once("table", (str(table.identity) for table in tables or ()))
        return tables


class DeclaredPipeline(_Strict):
    name: str = Field(min_length=1)
    source: str
    status: Literal[DesiredStatus.START, DesiredStatus.PAUSE] = DesiredStatus.PAUSE
    engine: EngineKind = EngineKind.DEBEZIUM
    profile: Profile = Profile.SMALL
    max_batch_rows: int | None = None
    max_queue_rows: int | None = None
    wal_budget_bytes: int | None = None
    wal_budget_policy: WalBudgetPolicy = WalBudgetPolicy.WARN
    destinations: list[DeclaredFanOut] = Field(default_factory=list)

    @field_validator("destinations")
    @classmethod
    def _each_once(cls, destinations: list[DeclaredFanOut]) -> list[DeclaredFanOut]:
        _once("destination", (one.destination for one in destinations))
        return destinations


class Document(_Strict):
    """Everything that a file declares. Names are unique; pipelines name sources and destinations."""

    version: Literal[1]
    sources: list[DeclaredSource] = Field(default_factory=list)
    destinations: list[DeclaredDestination] = Field(default_factory=list)
    pipelines: list[DeclaredPipeline] = Field(default_factory=list)

    @model_validator(mode="after")
    def _unique(self) -> Document:
        for kind in ("sources", "destinations", "pipelines"):
            _once(kind.removesuffix("s"), (one.name for one in getattr(self, kind)))
        return self


def _once(kind: str, names: Any) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ValueError(f"the {kind} {twice[0]} is declared more than once")


class _Loader(yaml.SafeLoader):
    """Plain data only: no tags, no anchors (a few lines could unfold to gigabytes), no key twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.events.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.constructor.ConstructorError(
                None, None, "anchors and aliases are not accepted", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [str(getattr(key, "value", "")) for key, _ in node.value]
        twice = [key for key, count in Counter(keys).items() if count > 1]
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"{twice[0]!r} stands here twice", node.start_mark)
        return super().construct_mapping(node, deep)


def load_document(path: Path) -> Document:
    """The file's declarations. Raises ConfigurationError, naming the place and never a value, for anything else."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigurationError(f"{path} is larger than {MAX_FILE_BYTES} bytes", code="DECLARATION_TOO_LARGE")
        loaded = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader made stricter
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path} cannot be read ({type(error).__name__})", code="DECLARATION_UNREADABLE"
        ) from None
    except RecursionError:
        raise ConfigurationError(f"{path} is nested too deeply", code="DECLARATION_INVALID") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        raise ConfigurationError(
            f"{place}: {getattr(error, 'problem', None) or 'no YAML'}", code="DECLARATION_INVALID"
        ) from None
    if not isinstance(loaded, Mapping):
        raise ConfigurationError(f"{path} declares nothing: it must be a mapping", code="DECLARATION_INVALID")
    try:
        return Document.model_validate(loaded)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise ConfigurationError(
            f"{path}: {place or 'the file'}: {problem['msg']}",
            code="DECLARATION_INVALID",
            remedy="`rosetta export` writes an example of what is there now.",
        ) from None
