"""Settings from the environment: what is wrong is named by its variable."""

import re
from pathlib import Path
from typing import get_args

import pytest

from backcast_engine.errors import InvalidInput
from services import settings
from services.settings import Settings, load_settings

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


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("GATEWAY_PORT", "abc", "a whole number from 0 to 65535"),
        ("GATEWAY_PORT", "70000", "a whole number from 0 to 65535"),
        ("GATEWAY_PORT", "", "a whole number from 0 to 65535"),
        ("HEALTH_PORT", "-1", "a whole number from 0 to 65535"),
        ("DATABASE_POOL_SIZE", "1.5", "a whole number from 2 to 100"),
        ("MAX_RUNS", "0", "a whole number of at least 1"),
        ("TASK_LIMIT_S", "0", "a number above 0"),
        ("TASK_LIMIT_S", "inf", "a number above 0"),
        ("RUNS_KEPT_S", "soon", "a number of at least 0"),
        ("CONNECTION_MAX_AGE_S", "0.01", "a number from 0.1 to 86400"),
        ("INSECURE", "maybe", "1 or 0"),
    ],
)
def test_the_error_of_an_invalid_number_says_which_numbers_the_setting_accepts(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(f"BACKCAST_{name}", value)
    with pytest.raises(InvalidInput) as refused:
        load_settings()
    assert str(refused.value) == f"BACKCAST_{name}: must be {expected}, not {value!r}"


def test_every_setting_that_is_a_number_has_limits_that_its_error_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"BACKCAST_{name.upper()}", "nonsense")
    with pytest.raises(InvalidInput) as refused:
        load_settings()
    reasons = {violation.field: violation.reason for violation in refused.value.violations}
    numbers = {
        f"BACKCAST_{name.upper()}"
        for name, field in Settings.model_fields.items()
        if {bool, int, float} & {field.annotation, *get_args(field.annotation)}
    }
    assert reasons.pop(EXECUTOR) == "must be dask://host:port"
    assert reasons.keys() == numbers
    plain = re.compile(
        r"must be (1 or 0|a (whole )?number (from \S+ to \d+|above \d+|of at least \d+)), not 'nonsense'"
    )
    assert [reason for reason in reasons.values() if not plain.fullmatch(reason)] == []


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
