"""SQL of a user's own over the rows of a batch: what it may say, and the locked process that runs it.

The statement is one SELECT over `batch`, row by row: it chooses, computes and filters columns. It is text from a
person, run on the rows of a company, so nothing of it runs in a process that holds credentials (`sandbox.py`), and only
what `grammar.py` knows to depend on the row alone is run at all.
"""

from rosetta.custom_sql.sandbox import Sandbox, SandboxLimits
from rosetta.custom_sql.statement import OutputColumn, Statement

__all__ = ["OutputColumn", "Sandbox", "SandboxLimits", "Statement"]
