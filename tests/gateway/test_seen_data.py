"""Which part of a crypto's data a run sees, and under which fingerprint its result is kept."""

import pytest

from services.compute.engine import Detail, Execution
from services.compute.engine.strategies.rsi import Rsi
from services.gateway.crypto_data import CryptoData
from services.gateway.plan import CacheMode, RunRequest
from services.shared.clock import LATEST_S
from services.shared.interval import Interval
from tests.candle_making import START_S

HOUR_S, DAY_S = 3_600, 86_400


@pytest.mark.parametrize(
    ("interval", "end_s", "seen_before_s"),
    [
        (Interval.HOUR_1, START_S, START_S),
        (Interval.HOUR_1, START_S + 1, START_S + HOUR_S),
        (Interval.HOUR_4, START_S + 4 * HOUR_S, START_S + 4 * HOUR_S),
        # The candle that opens before the end has all of its hours.
        (Interval.HOUR_4, START_S + 5 * HOUR_S, START_S + 8 * HOUR_S),
        (Interval.DAY_1, START_S + HOUR_S, START_S + DAY_S),
        (Interval.WEEK_1, START_S + DAY_S, START_S + 7 * DAY_S),
        # The newest candle ends it.
        (Interval.HOUR_1, None, None),
        (Interval.WEEK_1, LATEST_S, LATEST_S),
    ],
)
def test_seen_are_the_hours_of_the_candles_in_the_window(
    interval: Interval, end_s: int | None, seen_before_s: int | None
) -> None:
    request = RunRequest({}, {}, Rsi(), interval, 0, end_s, Execution(), Detail.METRICS, 0, CacheMode.DEFAULT)
    assert request.seen_before_s == seen_before_s


def test_a_result_on_the_listed_data_is_kept_under_the_part_of_it() -> None:
    crypto = CryptoData("BTCUSDT", "whole", START_S, START_S, "part")
    assert crypto.fingerprint_of_result("whole") == "part"


def test_a_result_on_data_that_was_imported_since_is_kept_under_that_data() -> None:
    crypto = CryptoData("BTCUSDT", "whole", START_S, START_S, "part")
    assert crypto.fingerprint_of_result("newer") == "newer"
