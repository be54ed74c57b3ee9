"""The error tree: what went wrong, whether trying again can help, and what a person should do.

    RosettaError
    ├── ConfigurationError        a person must change something (never retried)
    │   ├── SecretError           a secret cannot be sealed or opened
    │   └── UnsupportedError      asked for something that cannot be done exactly, with the reason
    ├── OutageError               retryable: connection, credentials, disk, locks; nothing was lost
    │   └── FencedError           another instance owns the pipeline now; this one must stop
    ├── DataError                 the target refuses this data; trying the same again cannot help
    │   └── SchemaMismatchError   target and source table differ; carries the difference
    └── ResyncRequiredError       the stream cannot be continued without a gap (slot lost, other cluster)

Every error carries a stable machine `code`, a `message` free of secrets and row values, and, where
there is one, a `remedy`: the sentence or the SQL that mends it.
"""

from __future__ import annotations


class RosettaError(Exception):
    """Base of all errors that Rosetta raises on purpose."""

    code = "ROSETTA_ERROR"
    retryable = False

    def __init__(self, message: str, *, remedy: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        if code is not None:
            self.code = code

    @property
    def text(self) -> str:
        """What went wrong, and what mends it: a line each, for whoever started a process that cannot go on."""
        return "".join(f"{line}\n" for line in (self.message, self.remedy) if line)


class ConfigurationError(RosettaError):
    code = "CONFIGURATION_ERROR"


class SecretError(ConfigurationError):
    code = "SECRET_ERROR"


class UnsupportedError(ConfigurationError):
    code = "UNSUPPORTED"


class OutageError(RosettaError):
    code = "OUTAGE"
    retryable = True


class FencedError(OutageError):
    code = "FENCED"


class DataError(RosettaError):
    code = "DATA_ERROR"


class SchemaMismatchError(DataError):
    code = "SCHEMA_MISMATCH"


class ResyncRequiredError(RosettaError):
    code = "RESYNC_REQUIRED"
