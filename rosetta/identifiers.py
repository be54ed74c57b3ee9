"""Names of tables, always with their schema."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class TableId:
    """A table by schema and name, exactly as the catalog spells them (no folding, no quotes)."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"
