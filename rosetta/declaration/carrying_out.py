"""Carries out a plan, request by request; what was done is said as it is done."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from rosetta.declaration.plan import Action, Plan
from rosetta.errors import RosettaError
from rosetta.remote import Json, Remote

_PLACEHOLDER: Final = re.compile(r"\{((?:source|destination|pipeline):[^}]*)\}")


def carry_out(plan: Plan, remote: Remote, done: Callable[[Action], None]) -> None:
    """Does all actions in order. Every secret is read before the first of them, so that a missing one changes nothing.

    Raises ConfigurationError or OutageError at the first that fails; those before it are done, and a new plan goes on
    from there.
    """
    secrets = [
        {key: reference.read(f"{action.subject}: {key}") for key, reference in action.secrets.items()}
        for action in plan.actions
    ]
    ids = dict(plan.known)
    for action, opened in zip(plan.actions, secrets, strict=True):
        try:
            answer = remote.call(action.method, _filled(action.path, ids), _body(action, opened, ids))
        except RosettaError as error:
            raise type(error)(f"{action.subject}: {error.message}", code=error.code, remedy=error.remedy) from None
        if action.makes is not None:
            ids[action.makes] = int(answer["id"])
        done(action)


def _body(action: Action, secrets: dict[str, str], ids: dict[str, int]) -> Json | None:
    if action.body is None:
        return None
    body = {key: _number(value, ids) for key, value in action.body.items()}
    if not secrets:
        return body
    if action.subject.startswith("destination "):
        return {**body, "config": {**body.get("config", {}), **secrets}}
    return {**body, **secrets}


def _number(value: Any, ids: dict[str, int]) -> Any:
    """An id where the value stands for one."""
    match = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return ids[match[1]] if match else value


def _filled(path: str, ids: dict[str, int]) -> str:
    return _PLACEHOLDER.sub(lambda match: str(ids[match[1]]), path)
