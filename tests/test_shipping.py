"""What is shipped beside the code says what the code says: compose, images, manifests, workflows.

Whether each is well formed is looked at by `make lint`, with the schemas of those who read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from app.core.config import Settings as BackendSettings

from compute.config.settings import Settings as ComputeSettings

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
MANIFESTS = ROOT / "deploy" / "kubernetes"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
DATABASES = {"config-db": 5433, "source-db": 5434, "target-db": 5435}
NOT_OURS = {"TZ"}

Document = dict[str, Any]


def known_settings(service: str) -> set[str]:
    if service == "backend":
        return {name.upper() for name in BackendSettings.model_fields}
    return {one.name.upper() for one in fields(ComputeSettings)}


def manifests() -> Iterator[Document]:
    for name in yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())["resources"]:
        yield from yaml.safe_load_all((MANIFESTS / name).read_text())


def of_kind(kind: str) -> dict[str, Document]:
    return {each["metadata"]["name"]: each for each in manifests() if each["kind"] == kind}


def workloads() -> dict[str, Document]:
    return {**of_kind("Deployment"), **of_kind("StatefulSet")}


@pytest.mark.parametrize(("name", "port"), DATABASES.items())
def test_the_databases_of_development_are_as_the_documents_say(name: str, port: int) -> None:
    service = COMPOSE[name]
    assert service["ports"] == [f"127.0.0.1:{port}:5432"]
    assert service["image"] == ("postgres:16-bookworm" if name == "config-db" else "postgis/postgis:16-3.4")
    options = dict(option.split("=") for option in service["command"] if "=" in option)
    assert options["wal_level"] == "logical"
    assert int(options["max_replication_slots"]) >= 10
    assert int(options["max_wal_senders"]) >= 10
    assert service["environment"]["TZ"] == "${TZ:-UTC}"
    assert "pg_isready" in service["healthcheck"]["test"]
    assert "profiles" not in service, "`docker compose up -d` starts it"


def test_redis_keeps_what_it_was_given() -> None:
    command = " ".join(COMPOSE["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert COMPOSE["redis"]["ports"] == ["127.0.0.1:6379:6379"]


def test_the_application_is_closed_and_has_no_secret_of_its_own() -> None:
    applications = {name: service for name, service in COMPOSE.items() if service.get("profiles") == ["application"]}
    assert applications.keys() == {"backend", "compute"}
    for service in applications.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        given = service["environment"]
        assert given["SECRET_KEY"] == "${SECRET_KEY:-}"
        for value in given.values():
            for variable in re.findall(r"\$\{(\w*(?:PASSWORD|KEY)\w*)(?::-([^}]*))?\}", value):
                assert not variable[1], f"{variable[0]} has a default"


@pytest.mark.parametrize("service", ["backend", "compute"])
def test_every_variable_that_a_container_is_given_is_a_setting(service: str) -> None:
    stage = DOCKERFILE.split(f"AS {service}\n")[1].split("\nFROM ")[0]
    assert f"ENV {'HOST' if service == 'backend' else 'HEALTH_HOST'}=0.0.0.0" in stage
    in_image = {pair.split("=")[0] for line in re.findall(r"^ENV (.+)$", stage, re.MULTILINE) for pair in line.split()}
    container = workloads()[f"rosetta-{service}"]["spec"]["template"]["spec"]["containers"][0]
    in_pod = {each["name"] for each in container["env"]}
    assert in_image | set(COMPOSE[service]["environment"]) | in_pod <= known_settings(service) | NOT_OURS
    assert COMPOSE[service]["build"]["target"] == service
    shared = of_kind("ConfigMap")["rosetta"]["data"].keys()
    assert shared <= known_settings("backend") | known_settings("compute") | NOT_OURS


def test_images_run_as_nobody_and_are_asked_for_their_health() -> None:
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    assert DOCKERFILE.count("HEALTHCHECK") == 2
    assert set(re.findall(r"uv sync (\S+)", DOCKERFILE)) == {"--locked"}


def test_everything_of_the_manifests_is_listed() -> None:
    listed = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())["resources"]
    assert {*listed, "kustomization.yaml"} == {path.name for path in MANIFESTS.glob("*.yaml")}


def test_pods_are_probed_bounded_closed_and_not_drained_together() -> None:
    budgets = {
        each["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]
        for each in of_kind("PodDisruptionBudget").values()
    }
    assert budgets == workloads().keys() == {"rosetta-backend", "rosetta-compute"}
    for name, workload in workloads().items():
        template = workload["spec"]["template"]
        own = {"app.kubernetes.io/name": name}
        assert template["metadata"]["labels"] == workload["spec"]["selector"]["matchLabels"] == own
        assert of_kind("Service")[name]["spec"]["selector"] == own
        assert template["spec"]["securityContext"]["runAsNonRoot"]
        (container,) = template["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["resources"]["limits"]["memory"]
        assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
        assert container["readinessProbe"]["httpGet"]["path"] == "/health"
        written = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert {"/tmp", "/var/log/rosetta"} <= written
    drained = ComputeSettings(secret_key="-", config_database_url="-").drain_seconds
    compute = workloads()["rosetta-compute"]["spec"]["template"]["spec"]
    assert compute["terminationGracePeriodSeconds"] > 2 * drained


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_are_pinned_and_may_only_read(workflow: Path) -> None:
    text = workflow.read_text()
    for action, pin in re.findall(r"uses: (\S+?)@(\S+)", text):
        assert re.fullmatch("[0-9a-f]{40}", pin), f"{action} is not pinned to a commit"
    document = yaml.safe_load(text)
    assert document["permissions"] in ({}, {"contents": "read"})
    for name, job in document["jobs"].items():
        assert job.get("permissions", {}).keys() <= {"contents", "id-token"}, name
        assert set(re.findall(r"\bmake ([a-z0-9]+)", str(job))) <= _targets(), name


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
