"""What is done to changes and rows on their way from the engine to one table sync's target."""

from compute.transforms.maker import RuleMaker
from compute.transforms.row_rules import CopiedRows, RowRules

__all__ = ["CopiedRows", "RowRules", "RuleMaker"]
