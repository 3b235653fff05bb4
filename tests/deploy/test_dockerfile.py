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
from services.local.system_account import SystemAccount, let_pass
from tests.deploy.dockerfile import FILE, ImageFolder, Stage, stages


@pytest.fixture(scope="module")
def image(short_folder: Path) -> Iterator[ImageFolder]:
    """Everything that the Dockerfile makes, which its user may reach."""
    root = short_folder / "image"
    root.mkdir()
    build, final = stages()
    # The Python that the tests run with may be in the home of root.
    reached = [root / "opt", Path(sys.base_prefix, "bin", "python3")]
    modes = {folder: stat.S_IMODE(folder.stat().st_mode) for path in reached for folder in path.parents}
    for path in reached:
        let_pass(path)
    image = ImageFolder(root)
    image.build(build)
    # It is not in the last stage.
    shutil.rmtree(root / "source")
    image.build(final)
    yield image
    for folder, mode in modes.items():
        folder.chmod(mode)


def user_of(stage: Stage) -> SystemAccount:
    user, group = map(int, stage.last("USER").split(":"))
    assert user
    assert group
    return SystemAccount(user, group)


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


def test_the_image_has_the_page(image: ImageFolder) -> None:
    python = image.inside("/opt/backcast/venv/bin/python")
    code = "from services.web.page_files import PageFiles; print(PageFiles().is_built)"
    # -P and another folder: the page of the image, and not that of the sources.
    asked = subprocess.run(
        [python, "-P", "-c", code], cwd="/", env=image.environment, check=True, capture_output=True
    )
    assert asked.stdout == b"True\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: to become the image's user")
@pytest.mark.parametrize("service", ["compute", "gateway"])
def test_a_service_runs_as_the_images_user(service: str, image: ImageFolder, short_folder: Path) -> None:
    final = stages()[-1]
    account = user_of(final)
    health, port, nobody = free_ports(3)
    environment = {
        **image.environment,
        "BACKCAST_HEALTH_PORT": str(health),
        f"BACKCAST_{service.upper()}_PORT": str(port),
        "BACKCAST_REDIS_URL": f"redis://127.0.0.1:{nobody}",
        "NUMBA_DEBUG_CACHE": "1",
    }

    def as_user(instruction: str, *more: str) -> list[str]:
        words = [word.replace("50060", str(health)) for word in final.command(instruction)]
        program = shutil.which(words[0], path=environment["PATH"])
        assert program
        return account.command([program, *words[1:], *more])

    def is_healthy() -> bool:
        check = as_user("HEALTHCHECK")
        return not subprocess.run(
            check, env=environment, cwd="/", check=False, capture_output=True
        ).returncode

    log = short_folder / "image-logs" / service
    command = as_user("ENTRYPOINT", service)
    process = ServerProcess(f"the {service} service", command, log, folder=Path("/"), environment=environment)
    try:
        process.wait_until(is_healthy, 60)
        running = psutil.Process(process.pid)
        assert running.uids().effective == account.user_id
        running.terminate()
        assert running.wait(20) == 0
    finally:
        process.stop(0)
    # Numba logs that it loads the machine code of the image.
    assert "[cache] data loaded" in log.read_text()
    assert "[cache] data saved" not in log.read_text()
