"""Where databases are, as rows of the config database say it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rosetta.endpoints import destination_endpoint, source_endpoint
from rosetta.errors import ConfigurationError
from rosetta.secrets import Keyring

KEYRING = Keyring.from_secret_key("k3-unit-Zr8qW0vXn5TtB7yLmP2sJd4G")


def source(host: str) -> SimpleNamespace:
    row = SimpleNamespace(id=1, pg_host=host, pg_port=5432, pg_database="d", pg_username="u", sslmode="prefer")
    row.pg_password = KEYRING.seal("p", "sources.pg_password:1")
    return row


@pytest.mark.parametrize("host", ["db.example", "10.0.0.7", "fd00::7", "localhost"])
def test_one_host_is_taken_as_it_is(host: str) -> None:
    assert source_endpoint(source(host), KEYRING).host == host
    assert destination_endpoint({"pg_host": host, "pg_database": "d", "pg_username": "u"}).host == host


@pytest.mark.parametrize("host", ["/var/run/postgresql", "@abstract", "127.0.0.1,169.254.169.254", "db.example,/tmp"])
def test_neither_a_socket_nor_a_list_is_connected_to(host: str) -> None:
    """Whoever may save a source could reach what only this machine's users can; libpq would try each of a list."""
    with pytest.raises(ConfigurationError) as of_source:
        source_endpoint(source(host), KEYRING)
    with pytest.raises(ConfigurationError) as of_destination:
        destination_endpoint({"pg_host": host, "pg_database": "d", "pg_username": "u"})
    for refused in (of_source, of_destination):
        assert (refused.value.code, bool(refused.value.remedy)) == ("ADDRESS_NOT_ALLOWED", True)
