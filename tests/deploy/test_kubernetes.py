"""deploy/kubernetes: valid, closed except for what is needed, and its parts agree."""

import re
from ipaddress import ip_address, ip_network
from typing import Any

import kubernetes_validate
import pytest

from services.feed.exchanges.all_exchanges import EXCHANGES
from services.settings import Settings
from tests.deploy.dockerfile import stages
from tests.deploy.yaml_files import KUBERNETES, documents, kustomization, resource, resources

CALLED = ("data", "compute", "gateway", "web")
# Nobody calls the feed, except for its health and its metrics.
OURS = (*CALLED, "feed")
PODS = pytest.mark.parametrize("name", [*OURS, "cache"])
# The oldest that lets pods sleep before they stop, and the newest.
VERSIONS = ("1.30", kubernetes_validate.__version__)


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = resource("Deployment", name)["spec"]["template"]["spec"]
    return spec


def container(name: str) -> dict[str, Any]:
    (container,) = pod(name)["containers"]
    return container


def port(name: str, called: str) -> int:
    (number,) = (each["containerPort"] for each in container(name)["ports"] if each["name"] == called)
    return number


def main_port(name: str) -> int:
    return port(name, "https" if name == "web" else "grpc")


def variables(name: str) -> dict[str, str]:
    common: dict[str, str] = resource("ConfigMap", "settings")["data"]
    return common | {each["name"]: each["value"] for each in container(name)["env"]}


@pytest.mark.parametrize("name", resources())
def test_every_kubernetes_file_is_valid(name: str) -> None:
    for version in VERSIONS:
        kubernetes_validate.validate(resources()[name], version, strict=True)


def test_the_kustomization_names_every_file() -> None:
    files = {path.name for path in KUBERNETES.iterdir()} - {"kustomization.yaml"}
    assert sorted(kustomization()["resources"]) == sorted(files)
    assert all(documents(KUBERNETES / file) for file in files)


def test_images_are_pinned_by_version() -> None:
    pinned = {image["name"]: image["newTag"] for image in kustomization()["images"]}
    for name in (*OURS, "cache"):
        image, _, version = container(name)["image"].partition(":")
        assert re.match(r"\d+\.\d+\.\d+", version or pinned[image])


@PODS
def test_pods_run_without_privileges(name: str) -> None:
    assert pod(name)["automountServiceAccountToken"] is False
    assert pod(name)["securityContext"]["runAsNonRoot"] is True
    assert pod(name)["securityContext"]["runAsUser"] > 0
    assert pod(name)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container(name)["resources"]["requests"]) == {"cpu", "memory"}
    assert "memory" in container(name)["resources"]["limits"]
    mounted = {mount["name"] for mount in container(name)["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod(name)["volumes"]}


@pytest.mark.parametrize("name", OURS)
def test_pods_run_as_the_images_user_and_stop_in_time(name: str) -> None:
    context = pod(name)["securityContext"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == stages()[-1].last("USER")
    assert container(name)["args"] == [name]
    if name in CALLED:
        rest = (
            pod(name)["terminationGracePeriodSeconds"]
            - container(name)["lifecycle"]["preStop"]["sleep"]["seconds"]
        )
        assert rest > int(variables(name)["BACKCAST_SHUTDOWN_GRACE_S"])


@pytest.mark.parametrize("name", OURS)
def test_ports_of_health_and_metrics_agree(name: str) -> None:
    set_to = variables(name)
    assert str(port(name, "health")) == set_to["BACKCAST_HEALTH_PORT"]
    assert str(port(name, "metrics")) == set_to[f"BACKCAST_{name.upper()}_METRICS_PORT"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container(name)[probe]["grpc"] == {"port": port(name, "health")}


@pytest.mark.parametrize("name", CALLED)
def test_ports_of_services_and_pods_agree(name: str) -> None:
    set_to = variables(name)
    assert main_port(name) == Settings.model_fields[f"{name}_port"].default
    service = resource("Service", name)["spec"]
    # Headless: the name stands for the pods themselves, so that callers use each in turn. Browsers do not.
    assert service.get("clusterIP") == (None if name == "web" else "None")
    assert [each["port"] for each in service["ports"]] == [main_port(name)]
    for other in CALLED:
        assert set_to.get(f"BACKCAST_{other.upper()}_ADDRESS") in (
            None,
            f"dns:///{other}:{main_port(other)}",
        )


@PODS
def test_selectors_find_their_pods(name: str) -> None:
    labels = resource("Deployment", name)["spec"]["template"]["metadata"]["labels"]
    assert resource("Deployment", name)["spec"]["selector"]["matchLabels"] == labels
    if name != "feed":
        assert resource("Service", name)["spec"]["selector"] == labels
    assert resource("NetworkPolicy", name)["spec"]["podSelector"]["matchLabels"] == labels
    if name in OURS:
        assert resource("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"] == labels
        (spread,) = pod(name)["topologySpreadConstraints"]
        assert spread["labelSelector"]["matchLabels"] == labels


def test_compute_is_scaled_by_the_autoscaler_alone() -> None:
    scaled = resource("HorizontalPodAutoscaler", "compute")["spec"]
    assert scaled["scaleTargetRef"]["name"] == "compute"
    assert scaled["minReplicas"] >= 2
    # A number here would be gone back to each time that this is applied.
    assert "replicas" not in resource("Deployment", "compute")["spec"]
    cpus = container("compute")["resources"]["limits"]["cpu"]
    assert variables("compute")["BACKCAST_COMPUTE_WORKERS"] == cpus


def test_all_calls_of_the_page_reach_the_gateway_that_has_its_runs() -> None:
    # The page's process calls the pods of the name in turn, and each gateway knows only its own runs.
    assert variables("web")["BACKCAST_GATEWAY_ADDRESS"] == f"dns:///gateway:{main_port('gateway')}"
    assert resource("Deployment", "gateway")["spec"]["replicas"] == 1
    scaled = resources("HorizontalPodAutoscaler").values()
    assert "gateway" not in [each["spec"]["scaleTargetRef"]["name"] for each in scaled]


def callers(rules: list[dict[str, Any]], side: str) -> set[tuple[str, int]]:
    """Who is on the other side of the rules, and at which port."""
    return {
        (peer_name(peer), each["port"])
        for rule in rules
        for peer in rule.get(side, [{}])
        for each in rule["ports"]
    }


def peer_name(peer: dict[str, Any]) -> str:
    if "ipBlock" in peer:
        return "the internet"
    selector = peer.get("podSelector") or peer.get("namespaceSelector")
    return "/".join(selector["matchLabels"].values()) if selector else "anybody"


def test_everything_is_refused_but_what_is_needed() -> None:
    nobody = resource("NetworkPolicy", "nobody")["spec"]
    assert nobody == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    into = {
        name: callers(resource("NetworkPolicy", name)["spec"].get("ingress", []), "from")
        for name in (*OURS, "cache")
    }
    assert into == {
        "web": {("anybody", port("web", "https")), ("monitoring", port("web", "metrics"))},
        "gateway": {("anybody", port("gateway", "grpc")), ("monitoring", port("gateway", "metrics"))},
        "compute": {("gateway", port("compute", "grpc")), ("monitoring", port("compute", "metrics"))},
        "data": {
            ("gateway", port("data", "grpc")),
            ("compute", port("data", "grpc")),
            ("feed", port("data", "grpc")),
            ("monitoring", port("data", "metrics")),
        },
        "feed": {("monitoring", port("feed", "metrics"))},
        "cache": {("gateway", port("cache", "redis"))},
    }
    out = {
        name: callers(resource("NetworkPolicy", name)["spec"].get("egress", []), "to")
        for name in (*OURS, "cache")
    }
    assert out == {
        "web": {("gateway", port("gateway", "grpc"))},
        "gateway": {
            ("compute", port("compute", "grpc")),
            ("data", port("data", "grpc")),
            ("cache", port("cache", "redis")),
        },
        "compute": {("data", port("data", "grpc"))},
        "data": {("anybody", 5432)},
        "feed": {("data", port("data", "grpc")), ("the internet", 443)},
        "cache": set(),
    }


def test_the_feed_reaches_the_internet_and_no_private_network() -> None:
    rules = resource("NetworkPolicy", "feed")["spec"]["egress"]
    blocks = [peer["ipBlock"] for rule in rules for peer in rule["to"] if "ipBlock" in peer]
    assert [block["cidr"] for block in blocks] == ["0.0.0.0/0", "::/0"]
    left_out = [ip_network(each) for block in blocks for each in block["except"]]
    for private in ("10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.169.254", "fd00::1", "fe80::1"):
        assert any(ip_address(private) in network for network in left_out)
    assert not any(ip_address("8.8.8.8") in network for network in left_out)
    assert variables("feed")["BACKCAST_FEED_EXCHANGE"] in EXCHANGES


def test_secrets_of_pods_are_mounted_as_files() -> None:
    secrets = {
        (name, volume["secret"]["secretName"])
        for name in (*OURS, "cache")
        for volume in pod(name)["volumes"]
        if "secret" in volume
    }
    assert secrets == {
        *((name, "backcast-tls") for name in OURS),
        ("data", "backcast-database"),
        ("gateway", "backcast-tokens"),
    }
    for name in OURS:
        for variable, value in variables(name).items():
            if variable.endswith("_FILE"):
                folder = value.rpartition("/")[0]
                assert folder in {mount["mountPath"] for mount in container(name)["volumeMounts"]}
