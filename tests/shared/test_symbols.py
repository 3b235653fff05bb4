"""Symbols: however exchanges write them, one name; and nothing else."""

import pytest

from services.shared.errors import InvalidInput
from services.shared.symbols import canonical_symbol

HOSTILE = [
    *("", " ", "-", "A\0B", "\u202eTDSU", "BTC\u200bUSDT", "ВТСUSDT", "ſUSDT", "٣USDT", "ß", "ﬀ", "½"),
    *("'; DROP TABLE cryptos; --", "%s%n", "{0}", "../etc/passwd", "A" * 33, "A" * 65_536, "\U0001f680"),
]


@pytest.mark.parametrize("text", ["BTCUSDT", "btc/usdt", " BTC-USDT ", "btc_usdt"])
def test_one_name(text: str) -> None:
    assert canonical_symbol(text) == "BTCUSDT"


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_what_is_no_symbol(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^symbols\[3\]: ") as caught:
        canonical_symbol(text, "symbols[3]")
    # Its sentence is short, and can be printed.
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()
