"""Settings that are missing or wrong, as an error of ours."""

from __future__ import annotations

import pydantic

from rosetta.errors import ConfigurationError


def refused_settings(service: str, error: pydantic.ValidationError) -> ConfigurationError:
    """Names each setting and what is wrong with it, never its value. `service` is also the folder of its `.env`."""
    problems = []
    for problem in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part) for part in problem["loc"]).upper()
        problems.append(": ".join(filter(None, (name, problem["msg"].removeprefix("Value error, ")))))
    return ConfigurationError(
        f"{service} cannot start: {'; '.join(problems)}",
        remedy=f"Set it in the environment or in {service}/.env; {service}/.env.example lists every setting.",
    )
