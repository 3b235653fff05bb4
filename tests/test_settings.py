"""Settings from the environment: what is wrong is named by its variable."""

from pathlib import Path

import pytest

from services import settings
from services.domain.errors import InvalidInput
from services.settings import load_settings

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


def test_what_is_not_in_the_environment_is_in_a_file_of_the_container(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("BACKCAST_DATABASE_URL", raising=False)
    monkeypatch.setattr(settings, "_SECRETS_DIR", tmp_path)
    assert load_settings().database_url is None
    (tmp_path / "backcast_database_url").write_text("postgresql://secret\n")
    (tmp_path / "database_password").write_text("of another")
    assert load_settings().database_url == "postgresql://secret"
    monkeypatch.setenv("BACKCAST_DATABASE_URL", "postgresql://environment")
    assert load_settings().database_url == "postgresql://environment"


def test_a_container_may_have_no_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "_SECRETS_DIR", tmp_path / "none")
    assert load_settings()
