"""What is known of a statement once it was checked."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rosetta.types import Column, TableSchema


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A column that the statement gives.

    Attributes:
        type: PostgreSQL's name of its type; of a column that is passed on, the source's.
        source: the column of the batch that is passed on as it is, byte by byte; None for a computed one.
    """

    name: str
    type: str
    source: str | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that may run over batches with these columns."""

    sql: str
    columns: tuple[OutputColumn, ...]

    @property
    def computed_bits(self) -> str:
        """One bit for each column: 1 where it is computed."""
        return "".join("1" if column.source is None else "0" for column in self.columns)

    def output_of(self, source: str) -> str | None:
        """The name under which a column of the batch is passed on; None when it is not."""
        return next((column.name for column in self.columns if column.source == source), None)

    def output(self, schema: TableSchema) -> TableSchema:
        """The table as its target has it."""
        columns = tuple(
            Column(column.name, column.type)
            if column.source is None
            else replace(schema.column(column.source), name=column.name)
            for column in self.columns
        )
        return replace(
            schema, columns=columns, key=self._names(schema.key), primary_key=self._names(schema.primary_key)
        )

    def _names(self, sources: tuple[str, ...]) -> tuple[str, ...]:
        names = (self.output_of(source) for source in sources)
        return tuple(name for name in names if name is not None)
