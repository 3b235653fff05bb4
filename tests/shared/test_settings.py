"""Settings from the environment: what is wrong is named by its variable."""

import pytest

from services.shared.errors import InvalidInput
from services.shared.settings import load_settings

EXECUTOR = "BACKCAST_COMPUTE_EXECUTOR"


@pytest.mark.parametrize("address", ["scheduler:8786", "10.0.0.7:8786", "[::1]:8786"])
def test_the_executor_can_be_a_dask_cluster(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    assert load_settings().dask_scheduler is None
    monkeypatch.setenv(EXECUTOR, f"dask://{address}")
    assert load_settings().dask_scheduler == address


@pytest.mark.parametrize(
    "nonsense",
    [
        *("", "dask", "dask://", "dask://host", "dask://host:", "dask://host:port", "dask://host:0"),
        *("dask://host:99999", "dask://:8786", "dask://host:8786/path", "dask://user@host:8786"),
        *("tcp://host:8786", "host:8786", "dask://[::1:8786"),
    ],
)
def test_nonsense_for_an_executor_is_refused(monkeypatch: pytest.MonkeyPatch, nonsense: str) -> None:
    monkeypatch.setenv(EXECUTOR, nonsense)
    with pytest.raises(InvalidInput, match=f"^{EXECUTOR}: must be dask://host:port$"):
        load_settings()
