"""What the backend, compute and the `rosetta` command share, said once.

This package imports neither `app` (the backend) nor `compute`.
"""

__version__ = "0.1.0"
