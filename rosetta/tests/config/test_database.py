"""Every form of the database URL is understood by every driver."""

from __future__ import annotations

import pytest

from rosetta.database import async_url, libpq_url, sync_url
from rosetta.errors import ConfigurationError

SCHEMES = ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg2", "postgresql+psycopg"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_driver_gets_its_scheme(scheme: str) -> None:
    rest = "://u:p%40s%2Fs%25@h:5433/config"
    assert sync_url(scheme + rest) == "postgresql+psycopg2" + rest
    assert async_url(scheme + rest) == "postgresql+asyncpg" + rest
    assert libpq_url(scheme + rest) == "postgresql" + rest


@pytest.mark.parametrize("name", ["ssl", "sslmode"])
def test_the_tls_parameter_has_each_drivers_name(name: str) -> None:
    url = f"postgresql://u:p@h/d?{name}=verify-full"
    assert sync_url(url).endswith("?sslmode=verify-full")
    assert libpq_url(url).endswith("?sslmode=verify-full")
    assert async_url(url).endswith("?ssl=verify-full")


def test_parameters_of_the_other_driver_do_no_harm() -> None:
    assert async_url("postgres://u@h/d?connect_timeout=5&application_name=x&sslmode=disable").endswith("/d?ssl=disable")
    assert sync_url("postgresql+asyncpg://u@h/d?prepared_statement_cache_size=0&ssl=disable").endswith(
        "/d?sslmode=disable"
    )


@pytest.mark.parametrize("parameter", ["sslrootcert=/ca.pem", "channel_binding=require", "options=-csearch_path%3Dx"])
def test_a_parameter_that_matters_is_never_dropped(parameter: str) -> None:
    with pytest.raises(ConfigurationError, match=parameter.partition("=")[0]):
        async_url(f"postgresql://u@h/d?{parameter}")


@pytest.mark.parametrize("url", ["", "canary", "mysql://u:canary@h/d", "postgresql://u:canary@h:port/d"])
def test_what_is_no_postgresql_url_is_refused_without_quoting_it(url: str) -> None:
    for convert in (sync_url, async_url, libpq_url):
        with pytest.raises(ConfigurationError) as raised:
            convert(url)
        assert "canary" not in str(raised.value)
        assert raised.value.remedy
