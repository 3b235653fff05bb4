"""What a run is refused for."""

import pytest

from services.compute.engine import Detail, Execution
from services.compute.engine.strategies.rsi import Rsi
from services.gateway.plan import CacheMode, CryptoData, RunRequest, make_plan
from services.shared.errors import InvalidInput
from services.shared.interval import Interval
from tests.candle_making import START_S


@pytest.mark.parametrize(
    ("symbol", "reason"),
    [
        ("BTCUSD", "there is no crypto 'BTCUSD': did you mean BTCUSDT?"),
        ("ETH", "there is no crypto 'ETH': did you mean ETHUSDT?"),
        ("BTHUSDT", "there is no crypto 'BTHUSDT': did you mean ETHUSDT or BTCUSDT?"),
        ("DOGEUSDT", "there is no crypto 'DOGEUSDT'"),
    ],
)
def test_a_symbol_that_is_none(symbol: str, reason: str) -> None:
    request = RunRequest(
        *({symbol: "symbols[3]"}, Rsi(), Interval.HOUR_1, None, None, Execution()),
        *(Detail.METRICS, 0, CacheMode.DEFAULT),
    )
    known = [CryptoData(one, "f", START_S, "f") for one in ("BTCUSDT", "ETHUSDT", "XRPEUR")]
    with pytest.raises(InvalidInput) as caught:
        make_plan(request, known)
    assert str(caught.value) == f"symbols[3]: {reason}"
