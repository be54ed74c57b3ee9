"""Names that are made up when none is given."""

_SUFFIX = " (copy)"
_MAX_CHARACTERS = 200


def copy_name(name: str) -> str:
    """The name of a duplicate, within the bound of every name."""
    return name[: _MAX_CHARACTERS - len(_SUFFIX)] + _SUFFIX
