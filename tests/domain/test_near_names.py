"""Errors about mistyped names suggest what may have been meant."""

import pytest

from backcast_engine.near_names import did_you_mean

KNOWN = ["sharpe_ratio", "sortino_ratio", "cagr", "rsi"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("rsii", "did you mean rsi?"),
        ("sharpe", "did you mean sharpe_ratio?"),
        ("s", "did you mean sharpe_ratio or sortino_ratio?"),
        ("sharpo_ratio", "did you mean sharpe_ratio or sortino_ratio?"),
        ("luck", "choose one"),
        ("", "choose one"),
    ],
)
def test_a_near_name_is_suggested(name: str, hint: str) -> None:
    assert did_you_mean(name, KNOWN, "choose one") == hint


def test_a_name_is_suggested_only_where_it_is_like_enough() -> None:
    assert did_you_mean("FOOUSDT", ["BOOUSDT", "BARUSDT"], likeness=0.8) == "did you mean BOOUSDT?"
    assert did_you_mean("FOOUSDT", ["BARUSDT"], likeness=0.8) == ""
