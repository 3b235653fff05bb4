"""What importing `backcast` and `backcast.engine` brings and says, in processes of their own."""

import subprocess
import sys

import pytest

WIRE = {"grpc", "google.protobuf", "asyncpg", "services"}
FRAMES = {"pandas", "polars", "pyarrow", "matplotlib", "plotly"}


def imported(code: str) -> set[str]:
    script = f"{code}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "without"),
    [
        ("import backcast", WIRE | FRAMES | {"numpy", "numba", "backcast_engine"}),
        ("import backcast; backcast.connect", FRAMES | {"numba", "backcast_engine", "services"}),
        ("import backcast.engine; backcast.engine.close > 1", WIRE | FRAMES),
    ],
)
def test_an_import_brings_nothing_that_it_does_not_need(code: str, without: set[str]) -> None:
    assert imported(code) & without == set()


def test_the_engine_is_a_name_of_the_package() -> None:
    assert "backcast.engine" in imported("import backcast; backcast.engine.backtest")


def test_without_the_extra_one_sentence_says_what_to_install() -> None:
    script = "import sys; sys.modules['backcast_engine'] = None; import backcast.engine"
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        "backcast.errors.MissingLibraryError: backcast.engine needs the engine: "
        "pip install 'backcast-client[engine]'"
    )
