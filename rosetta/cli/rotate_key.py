"""`rosetta rotate-key`: everything that is sealed moves to a new SECRET_KEY."""

from __future__ import annotations

from rosetta.cli.config_session import audit, config_session
from rosetta.cli.target import config_database_url, keyring
from rosetta.rotation import ROTATED, rotate


def rotate_key() -> None:
    """Seal all secrets and parked changes under SECRET_KEY; SECRET_KEY_PREVIOUS (a JSON list) opens them.

    First restart backend and compute with both settings, then run this, then take the previous key away. The config
    database is DATABASE_URL, or the local stack's.
    """
    keys = keyring()
    done = rotate(config_database_url(), keys)
    with config_session("noting the rotation") as session:
        audit(session, ROTATED, keys.key_id, secrets=done.secrets, payloads=done.payloads, waiting=done.waiting)
    print(f"{done.secrets} rows with secrets and {done.payloads} parked payloads are sealed under the new key")
    if done.waiting:
        print(
            f"{done.waiting} open records of the dead letter queue still need the previous key: keep it in"
            " SECRET_KEY_PREVIOUS until they are recovered or discarded"
        )
