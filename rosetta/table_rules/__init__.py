"""What a table sync makes of a table: which columns, under which names, masked how, and which rows.

Said once for both services: what is allowed (`TableRules`), how masked values come about (`MaskingKey`), and the same
view of the source as SQL (`SourceView`). How the stream is brought to it, `compute.transforms` knows.
"""

from rosetta.table_rules.masking import REDACTED, MaskingKey, MaskKind
from rosetta.table_rules.rules import TableRules
from rosetta.table_rules.view import SourceView, ViewColumn, source_view, through

__all__ = ["REDACTED", "MaskKind", "MaskingKey", "SourceView", "TableRules", "ViewColumn", "source_view", "through"]
