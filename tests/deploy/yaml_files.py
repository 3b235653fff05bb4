"""The YAML files of deploy/."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.dockerfile import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
KUBERNETES = DEPLOY / "kubernetes"


@cache
def documents(path: Path) -> list[dict[str, Any]]:
    """Return the documents of a file; anchors are resolved."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def compose() -> dict[str, Any]:
    (whole,) = documents(COMPOSE)
    return whole


def kustomization() -> dict[str, Any]:
    (whole,) = documents(KUBERNETES / "kustomization.yaml")
    return whole


def resources(kind: str | None = None) -> dict[str, dict[str, Any]]:
    """Return what kustomize would apply, or what of it is of a kind, by file and name."""
    return {
        f"{file}: {resource['kind']} {resource['metadata']['name']}": resource
        for file in kustomization()["resources"]
        for resource in documents(KUBERNETES / file)
        if kind in (None, resource["kind"])
    }


def resource(kind: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in resources(kind).values() if each["metadata"]["name"] == name)
    return found
