"""The image: its commands work, and its services run as its user, who can write nothing of it."""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from services.local.ports import free_ports
from services.local.server_process import ServerProcess
from services.local.system_account import Account, let_pass
from tests.deploy.dockerfile import FILE, ImageFolder, Stage, stages


@pytest.fixture
def open_home() -> Iterator[None]:
    """The image's user may pass to the Python that the tests run with; it may be in the home of root."""
    python = Path(sys.base_prefix, "bin", "python3")
    modes = {folder: stat.S_IMODE(folder.stat().st_mode) for folder in python.parents}
    let_pass(python)
    yield
    for folder, mode in modes.items():
        folder.chmod(mode)


def user_of(stage: Stage) -> Account:
    user, group = map(int, stage.last("USER").split(":"))
    assert user
    assert group
    return Account(user, group)


def test_images_are_pinned_and_equal() -> None:
    build, final = stages()
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", build.image)
    assert final.image == build.image


def test_only_what_is_copied_is_sent_to_docker() -> None:
    ignored = FILE.with_name("Dockerfile.dockerignore").read_text().splitlines()
    copied = [
        source
        for keyword, rest in stages()[0].instructions
        if keyword == "COPY"
        for source in rest.split()[:-1]
    ]
    assert "*" in ignored
    assert sorted(line[1:] for line in ignored if line.startswith("!")) == sorted(copied)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: to become the image's user")
def test_services_run_as_the_images_user(short_folder: Path, open_home: None) -> None:
    build, final = stages()
    root = short_folder / "image"
    root.mkdir()
    let_pass(root / "opt")
    image = ImageFolder(root)
    image.build(build)
    # They are not in the last stage.
    shutil.rmtree(root / "source")
    image.build(final)
    account = user_of(final)
    (redis, *ports) = free_ports(5)
    for service in ("compute", "gateway"):
        health, port = ports.pop(), ports.pop()
        environment = {
            **image.environment,
            "BACKCAST_HEALTH_PORT": str(health),
            f"BACKCAST_{service.upper()}_PORT": str(port),
            "BACKCAST_REDIS_URL": f"redis://127.0.0.1:{redis}",
        }

        def command(words: list[str], path: str = image.environment["PATH"]) -> list[str]:
            program = shutil.which(words[0], path=path)
            assert program
            return account.command([program, *words[1:]])

        check = command([word.replace("50060", str(health)) for word in final.command("HEALTHCHECK")])
        process = ServerProcess(
            f"the {service} service",
            command([*final.command("ENTRYPOINT"), service]),
            short_folder / "image-logs" / service,
            folder=Path("/"),
            environment=environment,
        )
        try:
            process.wait_until(
                lambda check=check, environment=environment: (
                    not subprocess.run(  # type: ignore[misc]
                        check, env=environment, cwd="/", check=False, capture_output=True
                    ).returncode
                ),
                60,
            )
            assert psutil.Process(process.pid).uids().effective == account.user_id
            psutil.Process(process.pid).terminate()
            assert psutil.Process(process.pid).wait(20) == 0
        finally:
            process.stop(0)
