"""The distribution backcast-client, in environments of its own: what is in it, and what it runs with."""

import asyncio
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from services.domain.candles import Candles
from services.local.stack import LocalStack

PROJECT = Path(__file__).parents[3]
CLIENT = PROJECT / "clients" / "python"
SETTINGS = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
CODE = """
import sys
import backcast

with backcast.connect(sys.argv[1], frames="numpy") as client:
    run = client.run(backcast.Rsi(period=7), symbols=sys.argv[2:])
    print(sorted(result.symbol for result in run) == sorted(sys.argv[2:]))
    print(len(run.equity()["equity"]) > 0, len(run.trades()["profit"]) > 0)
"""


def run(*command: str | Path) -> str:
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True)
    if done.returncode != 0 and "No matching distribution" in done.stderr:
        pytest.skip(f"NO PACKAGES: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", CLIENT, "--wheel-dir", folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.mark.slow
def test_the_wheel_has_the_client_and_the_stubs_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    metadata = {name for name in names if ".dist-info/" in name}
    sources = {
        str(path.relative_to(CLIENT / "src"))
        for path in (CLIENT / "src").rglob("*")
        if path.suffix in (".py", ".pyi", ".typed")
    }
    assert set(names) - metadata == sources
    protos = list((PROJECT / "protos").rglob("*.proto"))
    stubs = [name for name in names if re.search(r"_pb2(_grpc)?\.pyi?$", name)]
    assert len(stubs) == 4 * len(protos)


@pytest.mark.slow
@pytest.mark.parametrize("versions", ["newest", "oldest"])
async def test_the_client_runs_without_the_services(
    wheel: Path, versions: str, stack: LocalStack, cryptos: dict[str, Candles], tmp_path: Path
) -> None:
    environment = tmp_path / "environment"
    oldest = [requirement.replace(">=", "==") for requirement in SETTINGS["dependencies"]]
    # A lower bound of two numbers is that of its first release.
    oldest = [re.sub(r"==(\d+\.\d+)$", r"==\1.0", requirement) for requirement in oldest]
    await asyncio.to_thread(run, sys.executable, "-m", "venv", environment)
    python = environment / "bin" / "python"
    await asyncio.to_thread(
        run, python, "-m", "pip", "install", "--quiet", wheel, *(oldest if versions == "oldest" else ())
    )
    printed = await asyncio.to_thread(run, python, "-c", CODE, stack.gateway_address, *cryptos)
    assert printed.split() == ["True"] * 3
    shutil.rmtree(environment)
