"""The shape of a source table, as its catalog states it."""

from __future__ import annotations

from dataclasses import dataclass, field

from rosetta.enums import ReplicaIdentity
from rosetta.identifiers import TableId


@dataclass(frozen=True, slots=True)
class UserType:
    """A type that the target must have before a column can use it.

    Attributes:
        kind: `enum`, `domain`, `composite`, `range` or `extension`.
        definition: enum labels; for a domain its base type and checks; for a composite `name type` of its
            fields; for an extension's type the extension's name.
    """

    schema: str
    name: str
    kind: str
    definition: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        type: `format_type()` with the schema of every type outside pg_catalog spelled out.
        nondeterministic: by its collation different text may be equal.
        number: its `attnum`, which no other column of the table ever has; 0: not known.
        type_id: object id and modifier of the type, as the stream names it (`23:-1`); empty: not known.
        missing: text of the value that rows from before the column was added have for it without being written anew
            (`attmissingval`: a default that does not vary); None: none, they are NULL or were written anew.
    """

    name: str
    type: str
    nullable: bool = True
    generated: bool = False
    user_types: tuple[UserType, ...] = ()
    nondeterministic: bool = False
    number: int = 0
    type_id: str = ""
    missing: str | None = None

    @property
    def is_enum(self) -> bool:
        """Whether its values are labels of an enum."""
        return any(user_type.kind == "enum" for user_type in self.user_types[-1:])


@dataclass(frozen=True, slots=True)
class TableSchema:
    """A table (or the root of a partitioned one) as it is replicated.

    Attributes:
        columns: all that reach the stream, in catalog order; generated columns are left out.
        key: columns that identify a row in the stream: the primary key, else the replica identity's index;
            empty for a table without either (then REPLICA IDENTITY FULL is needed).
        relation: object id of the table; 0: not known.
        storage: changes when the source writes every row of the table anew, or none is left of it (a rewrite by
            ALTER TABLE or VACUUM FULL, TRUNCATE).
        seen_at: a transaction id that was not given yet when the catalog was read: of two looks at a table that differ,
            the later one has the greater.
    """

    table: TableId
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    replica_identity: ReplicaIdentity = ReplicaIdentity.DEFAULT
    partitioned: bool = False
    primary_key: tuple[str, ...] = field(default=())
    relation: int = 0
    storage: str = ""
    seen_at: int = field(default=0, compare=False)

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column called `name`. Raises KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
