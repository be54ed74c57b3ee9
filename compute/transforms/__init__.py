"""What is done to changes and rows on their way from the engine to one table sync's target."""

from compute.transforms.row_rules import RowRules, RuleMaker

__all__ = ["RowRules", "RuleMaker"]
