"""Who mistypes a name is told what may have been meant."""

import pytest

from services.domain.near_names import did_you_mean

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
def test_near_names(name: str, hint: str) -> None:
    assert did_you_mean(name, KNOWN, "choose one") == hint


def test_how_like_it_has_to_be() -> None:
    assert did_you_mean("FOOUSDT", ["BOOUSDT", "BARUSDT"], likeness=0.8) == "did you mean BOOUSDT?"
    assert did_you_mean("FOOUSDT", ["BARUSDT"], likeness=0.8) == ""
