"""Ways of signing in and of encrypting, against a real server."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from compute.engine.base import EngineSource
from compute.engine.pgoutput import wire as wire_module
from compute.engine.pgoutput.session import ReplicationSession
from compute.engine.pgoutput.wire import Wire, WireError
from compute.tests.support.collector import Collector
from compute.tests.support.folders import open_to_servers
from rosetta.errors import ConfigurationError
from rosetta.local.ports import free_port
from rosetta.local.postgres import PostgresCluster
from rosetta.lsn import Lsn
from rosetta.postgres import PostgresEndpoint

pytestmark = [pytest.mark.integration, pytest.mark.debian]

METHODS = {"by_scram": "scram-sha-256", "by_md5": "md5", "by_text": "password", "by_trust": "trust"}
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
SECRET = "pässwörd 1"


def _certificate() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresCluster]:
    """A server with TLS, and a user for each way of signing in."""
    if not (DEBIAN_15 / "postgres").exists():
        pytest.skip("needs Debian's postgresql-15: the embedded server is built without TLS")
    folder = tmp_path_factory.mktemp("secured")
    open_to_servers(folder)
    cluster = PostgresCluster(folder / "pg", free_port(), "cluster-password", {"ssl": "on"}, binaries=DEBIAN_15)
    cluster.initialise()
    for name, content in zip(("server.crt", "server.key"), _certificate(), strict=True):
        file = cluster.data / name
        file.write_bytes(content)
        shutil.chown(file, *_owner(cluster.data))
        file.chmod(0o600)
    rules = cluster.data / "pg_hba.conf"
    first = "".join(f"host all {user} 127.0.0.1/32 {method}\n" for user, method in METHODS.items())
    rules.write_text(
        first + "hostssl all only_tls 127.0.0.1/32 scram-sha-256\nhost all only_tls all reject\n" + rules.read_text()
    )
    cluster.start()
    with closing(cluster.connect()) as session, session.cursor() as cursor:
        for user in (*METHODS, "only_tls"):
            cursor.execute(
                "SELECT set_config('password_encryption', %s, false)", ("md5" if user == "by_md5" else "scram-sha-256",)
            )
            cursor.execute(f"CREATE USER {user} REPLICATION PASSWORD %s", (SECRET,))
        cursor.execute("CREATE PUBLICATION p FOR ALL TABLES")
    yield cluster
    cluster.stop()


def _owner(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid


def _endpoint(
    cluster: PostgresCluster, user: str, sslmode: str = "disable", password: str = SECRET
) -> PostgresEndpoint:
    return PostgresEndpoint("127.0.0.1", cluster.port, "postgres", user, password, sslmode)


@pytest.mark.parametrize("sslmode", ["disable", "prefer", "require"])
@pytest.mark.parametrize("user", METHODS)
def test_each_way_of_signing_in(secured: PostgresCluster, user: str, sslmode: str) -> None:
    wire = Wire(_endpoint(secured, user, sslmode))
    wire.send(b"Q", b"IDENTIFY_SYSTEM\0")
    assert wire.receive()[0] == b"T"
    with closing(secured.connect()) as session, session.cursor() as cursor:
        cursor.execute(
            "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = %s AND state IS NOT NULL",
            (user,),
        )
        assert (sslmode != "disable",) in cursor.fetchall()
    wire.socket.close()


@pytest.mark.parametrize("user", ["by_scram", "by_md5", "by_text"])
def test_a_wrong_password_is_refused(secured: PostgresCluster, user: str) -> None:
    with pytest.raises(WireError) as caught:
        Wire(_endpoint(secured, user, password="a wrong one"))
    assert caught.value.state == "28P01"
    assert "a wrong one" not in str(caught.value)


def test_a_stream_over_tls_delivers(secured: PostgresCluster) -> None:
    with closing(secured.connect()) as admin, admin.cursor() as cursor:
        cursor.execute("SELECT lsn::text FROM pg_create_logical_replication_slot('signing_in', 'pgoutput')")
        start = Lsn.parse(cursor.fetchall()[0][0])
        cursor.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        cursor.execute("INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 3000) g")
        session = ReplicationSession(EngineSource(_endpoint(secured, "only_tls", "require"), "p", "signing_in"))
        session.stream(start)
        collector = Collector()
        for _ in range(400):
            while session.read(collector):
                pass
            if collector.got and collector.got[-1][0].startswith(b"C"):
                break
            session.wait(0.05)
            session.tell(start)
        assert sum(payload.startswith(b"I") for payload, _ in collector.got) == 3000
        session.end()
        session.close()
        cursor.execute("SELECT active FROM pg_replication_slots WHERE slot_name = 'signing_in'")
        assert cursor.fetchall() == [(False,)]
        cursor.execute("SELECT pg_drop_replication_slot('signing_in')")


def test_certificates_are_checked_where_that_is_asked_for(
    secured: PostgresCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_module, "_ROOT", tmp_path / "root.crt")
    with pytest.raises(ConfigurationError) as missing:
        Wire(_endpoint(secured, "by_scram", "verify-full"))
    assert missing.value.code == "TLS_ROOT_MISSING"
    (tmp_path / "root.crt").write_bytes(_certificate()[0])
    with pytest.raises(WireError, match="TLS"):
        Wire(_endpoint(secured, "by_scram", "verify-ca"))
    shutil.copy(secured.data / "server.crt", tmp_path / "root.crt")
    Wire(_endpoint(secured, "by_scram", "verify-ca")).socket.close()
    with pytest.raises(WireError, match="TLS"):  # the certificate is that of localhost, not of 127.0.0.1
        Wire(_endpoint(secured, "by_scram", "verify-full"))


def test_a_server_without_tls_is_refused_where_it_is_required(cluster: PostgresCluster) -> None:
    with pytest.raises(WireError, match="does not support SSL"):
        Wire(_endpoint(cluster, cluster.superuser, "require", cluster.password))
