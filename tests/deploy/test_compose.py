"""compose.yaml: valid, closed except for what is needed, and its parts agree."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from services.feed.exchanges.all_exchanges import EXCHANGES
from services.settings import Settings
from tests.deploy.dockerfile import stages
from tests.deploy.yaml_files import COMPOSE, DEPLOY, compose

WHOLE = compose()
SERVICES = WHOLE["services"]
OURS = {"data", "compute", "gateway", "web", "feed"}
ALL = pytest.mark.parametrize("name", SERVICES)


def test_the_compose_file_is_valid() -> None:
    check = Path(sys.executable).with_name("check-jsonschema")
    command = [check, "--builtin-schema", "vendor.compose-spec", COMPOSE]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@ALL
def test_nothing_runs_as_root_or_writes_where_it_should_not(name: str) -> None:
    service = SERVICES[name]
    user = stages()[-1].last("USER") if name in OURS else service["user"]
    assert int(user.split(":")[0]) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@ALL
def test_everything_has_limits_and_is_looked_after(name: str) -> None:
    service = SERVICES[name]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["restart"] == "unless-stopped"
    assert name in OURS or service["healthcheck"]["test"][0] == "CMD"


@ALL
def test_images_are_pinned_by_version(name: str) -> None:
    _, _, version = SERVICES[name]["image"].partition(":")
    assert re.match(r"v?\d+\.\d+\.\d+", version)


@ALL
def test_only_clients_reach_in_and_from_this_machine_only(name: str) -> None:
    service = SERVICES[name]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert bool(service.get("ports")) == (name in {"gateway", "web", "grafana"})
    assert ("clients" in service["networks"]) == bool(service.get("ports"))


def test_only_two_share_a_network_and_only_those_that_talk() -> None:
    talking = {
        frozenset(pair)
        for network, options in WHOLE["networks"].items()
        if network not in ("clients", "exchanges")
        for pair in itertools.combinations(
            [name for name, service in SERVICES.items() if network in service["networks"]], 2
        )
        if options["internal"]
    }
    wanted = ["gateway cache", "gateway data", "gateway compute", "compute data", "data database"]
    wanted += ["gateway web", "gateway prometheus", "compute prometheus", "data prometheus"]
    wanted += ["web prometheus", "grafana prometheus", "feed data", "feed prometheus"]
    assert talking == {frozenset(pair.split()) for pair in wanted}


def test_the_feed_alone_reaches_exchanges_and_only_if_it_is_asked_for() -> None:
    assert [name for name, service in SERVICES.items() if "exchanges" in service["networks"]] == ["feed"]
    assert {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service} == {
        "feed": ["feed"]
    }
    assert SERVICES["feed"]["environment"]["BACKCAST_FEED_EXCHANGE"] in EXCHANGES


def test_what_is_referred_to_is_there() -> None:
    named: set[str] = set()
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (DEPLOY / source).exists(), source
            else:
                named.add(source)
    assert named == set(WHOLE["volumes"])
    assert {secret for service in SERVICES.values() for secret in service.get("secrets", [])} == set(
        WHOLE["secrets"]
    )
    assert {network for service in SERVICES.values() for network in service["networks"]} == set(
        WHOLE["networks"]
    )


def test_no_secret_is_written_in_it() -> None:
    for service in SERVICES.values():
        for variable in service.get("environment", {}):
            assert "PASSWORD" not in variable or variable.endswith("_FILE")
        assert "BACKCAST_DATABASE_URL" not in service.get("environment", {})
    for name, secret in WHOLE["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
        # The services read what is named like a setting.
        if name.startswith("backcast_"):
            assert name.removeprefix("backcast_") in Settings.model_fields


@pytest.mark.parametrize("name", sorted(OURS))
def test_addresses_have_the_ports_that_the_services_listen_on(name: str) -> None:
    environment = SERVICES[name]["environment"]
    for other in OURS - {"feed"}:
        address = environment.get(f"BACKCAST_{other.upper()}_ADDRESS")
        port = Settings.model_fields[f"{other}_port"].default
        assert address in (None, f"dns:///{other}:{port}")
    assert SERVICES[name]["command"] == [name]
    assert int(SERVICES[name]["stop_grace_period"][:-1]) > int(environment["BACKCAST_SHUTDOWN_GRACE_S"])


def test_compute_has_as_many_workers_as_processors() -> None:
    compute = SERVICES["compute"]
    assert (
        compute["environment"]["BACKCAST_COMPUTE_WORKERS"] == compute["deploy"]["resources"]["limits"]["cpus"]
    )


def test_prometheus_asks_where_the_metrics_are() -> None:
    text = (DEPLOY / "prometheus.yaml").read_text()
    for name in OURS:
        port = SERVICES[name]["environment"][f"BACKCAST_{name.upper()}_METRICS_PORT"]
        assert f"names: [{name}]\n        type: A\n        port: {port}\n" in text
