"""Taking back what was begun when it does not come to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def undone_on_error(undo: Callable[[], object]) -> Iterator[None]:
    """Calls `undo` when what runs inside raises, whatever it is, also an end of the process."""
    with ExitStack() as undoing:
        undoing.callback(undo)
        yield
        undoing.pop_all()
