"""The part of a crypto's data that a run sees, and the fingerprint under which its result is cached."""

import pytest

from backcast_engine import Backtest, Detail, Execution, Window
from backcast_engine.interval import Interval
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.times import LATEST_S
from services.gateway.cache.keys import complete_until_s
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.run_plan import CacheMode, RunRequest
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


@pytest.mark.parametrize(
    ("interval", "end_hour", "data_hours", "until_hour"),
    [
        # The window sees the day of its end whole, once that is over.
        (Interval.DAY_1, 30, 30, 24),
        (Interval.DAY_1, 30, 47, 24),
        (Interval.DAY_1, 30, 48, 48),
        (Interval.DAY_1, 30, 900, 48),
        (Interval.DAY_1, 48, 900, 48),
        (Interval.HOUR_4, 31, 30, 28),
        (Interval.HOUR_4, 31, 33, 32),
        (Interval.HOUR_1, 30, 30, None),
        (Interval.HOUR_1, 30, 900, None),
    ],
)
def test_the_hours_that_a_result_has_seen_end_with_the_last_candle_that_is_over(
    interval: Interval, end_hour: int, data_hours: int, until_hour: int | None
) -> None:
    window = Window(START_S, START_S + end_hour * HOUR_S)
    backtest = Backtest(Rsi(), interval, window, Execution(), Detail.METRICS, 0)
    crypto = CryptoData("BTCUSDT", "f", START_S, START_S + (data_hours - 1) * HOUR_S, "f")
    until_s = None if until_hour is None else START_S + until_hour * HOUR_S
    assert complete_until_s(backtest, crypto) == until_s
