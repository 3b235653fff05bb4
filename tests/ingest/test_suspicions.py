"""Signs that something was stored wrongly: what earlier versions did is found; true histories have none."""

from pathlib import Path

import numpy as np
import pytest

from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from services.ingest.detect import read_file
from services.ingest.quality.suspicions import Sign, Suspicion, find_suspicions
from tests.candle_making import START_S, random_candles
from tests.ingest.conftest import NOW_S

HOUR_S = 3600


def changed(candles: Candles, **columns: np.ndarray) -> Candles:
    names = ("open_time_s", "open", "high", "low", "close", "volume")
    there = dict(zip(names, candles.columns(), strict=True))
    return Candles(**(there | columns))


def grouped(candles: Candles, hours: int, start: int) -> tuple[float, float, float, float, float]:
    part = candles[start : start + hours]
    return part.open[0], part.high.max(), part.low.min(), part.close[-1], part.volume.sum()


@pytest.mark.parametrize("seed", range(5))
def test_a_true_history_has_no_sign(seed: int) -> None:
    whole = random_candles(seed, 3000)
    assert find_suspicions("BTCUSDT", whole) == ()
    some = whole.at(np.random.default_rng(seed).random(len(whole)) < 0.6)
    assert find_suspicions("BTCUSDT.P", some) == ()
    # An hour without trades keeps its price.
    quiet = np.arange(len(whole)) % 500 > 300
    flat = {name: np.where(quiet, 100.0, getattr(whole, name)) for name in ("open", "high", "low", "close")}
    assert find_suspicions("X9USDT", changed(whole, **flat, volume=np.where(quiet, 0, whole.volume))) == ()


def test_real_histories_have_no_sign(market_data: Path) -> None:
    for name in ("BTCUSDT", "LTCUSDT", "ETHUSDT"):
        candles = read_file(market_data / "csv-1h" / f"{name}.csv.gz", Interval.HOUR_1, now_s=NOW_S).candles
        assert find_suspicions(name, candles) == (), name


@pytest.mark.parametrize("symbol", ["BINANCE", "BTC", "CANDLES", "BTCUSDTPERP", "BTCUSDT240329", "KRAKENUSD"])
def test_a_symbol_that_is_no_pair_is_named(symbol: str) -> None:
    candles = random_candles(1, 50)
    last_s = START_S + 49 * HOUR_S
    assert find_suspicions(symbol, candles) == (Suspicion(Sign.NO_PAIR, START_S, last_s, 50),)


@pytest.mark.parametrize("hours", [2, 4, 8, 24])
def test_a_stretch_of_longer_candles_is_named(hours: int) -> None:
    whole = random_candles(2, 1000)
    kept = np.arange(1000)
    for first in (240, 600):
        kept = kept[(kept < first) | (kept >= first + 12 * hours) | (kept % hours == 0)]
    # The hour behind a stretch is as far away as the others of it.
    expected = Suspicion(
        Sign.LONGER_CANDLES, START_S + 240 * HOUR_S, START_S + (600 + 12 * hours) * HOUR_S, 26, hours
    )
    assert find_suspicions("BTCUSDT", whole.at(kept)) == (expected,)
    fewer = np.arange(1000)
    fewer = fewer[(fewer < 240) | (fewer >= 240 + 4 * hours) | (fewer % hours == 0)]
    assert find_suspicions("BTCUSDT", whole.at(fewer)) == ()


@pytest.mark.parametrize("hours", [4, 8, 24])
@pytest.mark.parametrize("count", [3, 5])
def test_a_few_longer_candles_at_an_end_are_named(hours: int, count: int) -> None:
    whole = random_candles(2, 1000)
    alone = whole.at(np.arange(0, count * hours, hours))
    last_s = START_S + (count - 1) * hours * HOUR_S
    expected = Suspicion(Sign.LONGER_CANDLES, START_S, last_s, count, hours)
    assert find_suspicions("BTCUSDT", alone) == (expected,)
    assert find_suspicions("BTCUSDT", alone[: count - 1]) == (
        ()
        if count == 3
        else (Suspicion(Sign.LONGER_CANDLES, START_S, last_s - hours * HOUR_S, count - 1, hours),)
    )
    behind = whole.at(np.append(np.arange(240), np.arange(240, 240 + count * hours, hours)))
    first_s = START_S + 240 * HOUR_S
    expected = Suspicion(Sign.LONGER_CANDLES, first_s, first_s + (count - 1) * hours * HOUR_S, count, hours)
    assert find_suspicions("BTCUSDT", behind) == (expected,)
    before = whole.at(np.append(np.arange(0, count * hours, hours), np.arange(count * hours, 1000)))
    assert find_suspicions("BTCUSDT", before) == (
        Suspicion(Sign.LONGER_CANDLES, START_S, START_S + count * hours * HOUR_S, count + 1, hours),
    )


def test_a_jump_within_an_hour_is_named() -> None:
    whole = random_candles(6, 100)
    close, high = whole.close.copy(), whole.high.copy()
    close[50], high[50] = 1000 * whole.low[50], 1000 * whole.low[50]
    expected = Suspicion(
        Sign.JUMP_WITHIN_HOUR, START_S + 50 * HOUR_S, START_S + 50 * HOUR_S, 1, factor=pytest.approx(1000)
    )
    assert find_suspicions("BTCUSDT", changed(whole, close=close, high=high)) == (expected,)
    low = whole.low.copy()
    low[[20, 30]] = whole.high[[20, 30]] / (99, 101)
    (found,) = find_suspicions("BTCUSDT", changed(whole, low=low))
    assert (found.first_s, found.candles) == (START_S + 30 * HOUR_S, 1)


@pytest.mark.parametrize("hours", [4, 8, 24])
def test_longer_candles_over_true_hours_are_named(hours: int) -> None:
    whole = random_candles(3, 500)
    columns = {name: getattr(whole, name).copy() for name in ("open", "high", "low", "close", "volume")}
    places = [48, 48 + hours, 48 + 5 * hours]
    for place in places:
        for name, value in zip(columns, grouped(whole, hours, place), strict=True):
            columns[name][place] = value
    expected = Suspicion(
        Sign.LONGER_CANDLES_OVER_HOURS, START_S + 48 * HOUR_S, START_S + places[-1] * HOUR_S, 3, hours
    )
    assert find_suspicions("BTCUSDT", changed(whole, **columns)) == (expected,)
    # An hour with little volume is no sum of others.
    columns["volume"][places] = 1e-3
    assert find_suspicions("BTCUSDT", changed(whole, **columns)) == ()


def test_samples_of_short_files_that_were_stored_wrongly_are_named(import_cases: Path) -> None:
    """All files, in their order, as hours: the later ones win."""
    stored: dict[int, tuple[float, ...]] = {}
    for file in sorted((import_cases / "short-files-of-longer-candles" / "tree").iterdir()):
        candles = read_file(file, Interval.HOUR_1, now_s=NOW_S, length_s=HOUR_S).candles
        for row in zip(*(column.tolist() for column in candles.columns()), strict=True):
            stored[int(row[0])] = row
    times, *values = (
        np.array(column) for column in zip(*(stored[time] for time in sorted(stored)), strict=True)
    )
    found = find_suspicions("OOOUSDT", Candles(times.astype(np.int64), *values))
    assert {(each.sign, each.hours) for each in found} >= {
        (Sign.LONGER_CANDLES_OVER_HOURS, 4),
        (Sign.LONGER_CANDLES_OVER_HOURS, 8),
    }


def test_prices_that_change_without_volume_are_named() -> None:
    whole = random_candles(4, 300)
    for count, is_named in ((24, True), (23, False)):
        volume = np.maximum(whole.volume, 1)
        volume[100 : 100 + count] = 0
        found = find_suspicions("BTCUSDT", changed(whole, volume=volume))
        last_s = START_S + (99 + count) * HOUR_S
        assert found == ((Suspicion(Sign.NO_VOLUME, START_S + 100 * HOUR_S, last_s, 24),) if is_named else ())


def test_two_markets_in_one_history_are_named() -> None:
    whole = random_candles(5, 400)

    def with_other_market(*stretches: range, factor: float = 0.5) -> Candles:
        is_other = np.isin(np.arange(400), [hour for stretch in stretches for hour in stretch])
        names = ("open", "high", "low", "close")
        return changed(
            whole, **{name: getattr(whole, name) * np.where(is_other, factor, 1.0) for name in names}
        )

    found = find_suspicions("BTCUSDT", with_other_market(range(50, 60), range(99, 100), range(200, 201)))
    assert found == (Suspicion(Sign.TWO_MARKETS, START_S + 50 * HOUR_S, START_S + 200 * HOUR_S, 12),)
    assert (
        find_suspicions(
            "BTCUSDT", with_other_market(range(50, 60), range(99, 100), range(200, 201), factor=1e6)
        )
        == found
    )
    # Twice may be a wrong tick; a change that stays, or comes back days later, is a change.
    assert find_suspicions("BTCUSDT", with_other_market(range(50, 60), range(99, 100))) == ()
    assert (
        find_suspicions(
            "BTCUSDT", with_other_market(range(20, 50), range(99, 150), range(170, 220), range(300, 400))
        )
        == ()
    )
