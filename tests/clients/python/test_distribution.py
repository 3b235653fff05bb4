"""The distribution backcast-client, in environments of its own: what is in it, and what it runs with."""

import asyncio
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from backcast_engine.candles import Candles
from services.local.stack import LocalStack

PROJECT = Path(__file__).parents[3]
CLIENT = PROJECT / "clients" / "python"
PROJECT_FILE = tomllib.loads((CLIENT / "pyproject.toml").read_text())
SETTINGS = PROJECT_FILE["project"]
CODE = """
import sys
import backcast

_, address, libraries, *symbols = sys.argv
for library in libraries.split(","):
    with backcast.connect(address, frames=library) as client:
        run = client.run(backcast.Rsi(period=7), symbols=symbols)
        print(sorted(result.symbol for result in run) == sorted(symbols))
        print(len(run.equity()["equity"]) > 0, len(run.trades()["profit"]) > 0)
"""

ENGINE_CODE = """
import numpy as np
import backcast
from backcast.engine import backtest, close, sma

hours = np.arange(500)
prices = 100 + 10 * np.sin(hours / 20)
frame = {"time": hours * 3600 + 1_704_067_200, **dict.fromkeys(("open", "high", "low", "close"), prices)}
print(backtest(frame, backcast.Rsi(period=7)).metrics.trade_count > 0)
print(backtest(frame, backcast.rules(close > sma(20), close < sma(20))).metrics.trade_count > 0)
"""


def run(*command: str | Path, folder: Path | None = None) -> str:
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True, cwd=folder)
    if done.returncode != 0 and "No matching distribution" in done.stderr:
        pytest.skip(f"NO PACKAGES: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def contents(wheel: Path) -> set[str]:
    """Return the names of the files in a wheel, without those about it."""
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", CLIENT, "--wheel-dir", folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.mark.slow
def test_the_wheel_has_the_client_and_the_stubs_and_nothing_else(wheel: Path) -> None:
    names = contents(wheel)
    sources = {
        str(path.relative_to(CLIENT / "src"))
        for path in (CLIENT / "src").rglob("*")
        if path.suffix in (".py", ".pyi", ".typed")
    }
    assert names == sources
    protos = list((PROJECT / "protos").rglob("*.proto"))
    stubs = [name for name in names if re.search(r"_pb2(_grpc)?\.pyi?$", name)]
    assert len(stubs) == 4 * len(protos)


@pytest.mark.slow
def test_the_source_distribution_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    python = environment(tmp_path)
    run(python, "-m", "pip", "install", "--quiet", *PROJECT_FILE["build-system"]["requires"])
    run(python, "-m", "hatchling", "build", "--target", "sdist", "--directory", tmp_path, folder=CLIENT)
    (source,) = tmp_path.glob("*.tar.gz")
    made = tmp_path / "made"
    run(
        python,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        source,
        "--wheel-dir",
        made,
    )
    assert contents(*made.glob("*.whl")) == contents(wheel)


@pytest.mark.slow
@pytest.mark.parametrize("versions", ["newest", "oldest"])
async def test_the_client_runs_without_the_services(
    wheel: Path, versions: str, stack: LocalStack, cryptos: dict[str, Candles], tmp_path: Path
) -> None:
    required, libraries = [f"{wheel}"], "numpy"
    if versions == "oldest":
        extras = SETTINGS["optional-dependencies"]
        # pip resolves these pins together with what the distribution asks for. The engine has its own test.
        extras = {name: pins for name, pins in extras.items() if name != "engine"}
        pins = [*SETTINGS["dependencies"], *(pin for extra in extras.values() for pin in extra)]
        required = [f"{wheel}[{','.join(extras)}]", *map(oldest, pins)]
        libraries = ",".join([libraries, *extras])
    python = await asyncio.to_thread(environment, tmp_path)
    await asyncio.to_thread(run, python, "-m", "pip", "install", "--quiet", *required)
    printed = await asyncio.to_thread(run, python, "-c", CODE, stack.gateway_address, libraries, *cryptos)
    assert printed.split() == ["True"] * 3 * len(libraries.split(","))


@pytest.mark.slow
def test_the_engine_is_compiled_once_and_runs_where_the_extra_is_installed_and_the_services_are_not(
    wheel: Path, tmp_path: Path
) -> None:
    engine = PROJECT / "engine"
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", engine, "--wheel-dir", tmp_path)
    python = environment(tmp_path)
    run(python, "-m", "pip", "install", "--quiet", "--find-links", tmp_path, f"{wheel}[engine]")
    compiling = [str(python), "-m", "backcast.engine"]
    first, second = (subprocess.run(compiling, check=True, capture_output=True, text=True) for _ in range(2))
    assert first.stderr == "Backcast compiles its engine, once: it takes about 20 seconds.\n"
    assert second.stderr == ""
    assert first.stdout == second.stdout == "backcast.engine is compiled.\n"
    assert run(python, "-c", ENGINE_CODE).split() == ["True", "True"]


def oldest(requirement: str) -> str:
    """Return a lower bound as a pin; a bound of two numbers is that of its first release."""
    return re.sub(r"==(\d+\.\d+)$", r"==\1.0", requirement.replace(">=", "=="))


def environment(folder: Path) -> Path:
    """Make an environment, and return its Python."""
    run(sys.executable, "-m", "venv", folder / "environment")
    return folder / "environment" / "bin" / "python"
