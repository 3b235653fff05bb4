"""Plans of runs: which requests are refused, the window, and the cryptos that are left out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine import Detail, Execution, Window
from backcast_engine.errors import InvalidInput, Refused
from backcast_engine.interval import Interval
from backcast_engine.strategies.rsi import Rsi
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.run_plan import CacheMode, RunPlan, RunRequest, default_end_s, make_plan
from tests.candle_making import START_S

HOUR_S, DAY_S = 3_600, 86_400
YEAR_S = 365 * DAY_S
NOW_S = START_S + 10 * YEAR_S + 1_234


def crypto(symbol: str, first_day: float, end_day: float) -> CryptoData:
    """Return a crypto whose data is from one day to before another, counted from START_S."""
    first_s, end_s = (START_S + int(day * DAY_S) for day in (first_day, end_day))
    return CryptoData(symbol, "f", first_s, end_s - HOUR_S, "f")


def asked(
    *symbols: str,
    exclude: tuple[str, ...] = (),
    interval: Interval = Interval.HOUR_1,
    start_s: int | None = None,
    end_s: int | None = None,
) -> RunRequest:
    named, excluded = (
        {symbol: f"{field}[{index}]" for index, symbol in enumerate(given)}
        for field, given in (("symbols", symbols), ("exclude", exclude))
    )
    rest: Any = (Execution(), Detail.METRICS, 0, CacheMode.DEFAULT)
    return RunRequest(named, excluded, Rsi(), interval, start_s, end_s, *rest)


def planned(request: RunRequest, *known: CryptoData, now_s: int = NOW_S) -> RunPlan:
    return make_plan(request, list(known), now_s)


def symbols_of(cryptos: list[CryptoData]) -> list[str]:
    return [one.symbol for one in cryptos]


@pytest.mark.parametrize(
    ("symbol", "reason"),
    [
        ("BTCUSD", "there is no crypto 'BTCUSD': did you mean BTCUSDT?"),
        ("ETH", "there is no crypto 'ETH': did you mean ETHUSDT?"),
        ("BTHUSDT", "there is no crypto 'BTHUSDT': did you mean ETHUSDT or BTCUSDT?"),
        ("DOGEUSDT", "there is no crypto 'DOGEUSDT'"),
    ],
)
def test_a_malformed_symbol_names_its_field(symbol: str, reason: str) -> None:
    known = [crypto(one, 0, 400) for one in ("BTCUSDT", "ETHUSDT", "XRPEUR")]
    with pytest.raises(InvalidInput) as caught:
        planned(asked(symbol), *known)
    assert str(caught.value) == f"symbols[0]: {reason}"
    with pytest.raises(InvalidInput) as caught:
        planned(asked(exclude=(symbol,)), *known)
    assert str(caught.value) == f"exclude[0]: {reason}"


def test_excluded_cryptos_are_not_among_the_chosen() -> None:
    known = [crypto(one, 0, 400) for one in "ABC"]
    assert symbols_of(planned(asked(exclude=("B",)), *known).cryptos) == ["A", "C"]
    assert symbols_of(planned(asked("C", "A", exclude=("A",)), *known).cryptos) == ["C"]
    for request, reason in (
        (asked("A", exclude=("B",)), "exclude[0]: B is not among the symbols that are asked for"),
        (asked("A", exclude=("A",)), "exclude: leaves no crypto: keep at least one"),
    ):
        with pytest.raises(InvalidInput) as caught:
            planned(request, *known)
        assert str(caught.value) == reason


ODD_OLD, ODD_NEW = crypto("OLD", -3000, -2500), crypto("NEW", 3000, 3010)
MANY = [crypto(f"C{number}", -2000 + number, 700) for number in range(9)]


@pytest.mark.parametrize("odd", [ODD_OLD, ODD_NEW])
def test_one_odd_import_is_left_out_and_moves_nobodys_window(odd: CryptoData) -> None:
    plan = planned(asked(), *MANY, odd)
    assert plan.backtest.window == Window(START_S + 335 * DAY_S, START_S + 700 * DAY_S)
    assert symbols_of(plan.cryptos) == symbols_of(MANY)
    assert plan.left_out == [odd]


def test_a_crypto_that_was_delisted_does_not_take_the_others_back() -> None:
    # Before its end, too, all others have a year of candles.
    plan = planned(asked(), *MANY, crypto("GONE", -2000, 400))
    assert plan.backtest.window.end_s == START_S + 700 * DAY_S
    assert plan.left_out == []


@pytest.mark.parametrize(
    ("cryptos", "end_day"),
    [
        # They overlap in the year before the 500th day only.
        ([(0, 500), (100, 900)], 500),
        # Fewer candles of the one make no difference.
        ([(0, 500), (100, 510)], 510),
        # Two are more than one.
        ([(0, 500), (1000, 1400), (1000, 1400)], 1400),
        # Nothing is better than the other: the latest.
        ([(0, 365), (1000, 1365)], 1365),
    ],
)
def test_the_default_window_is_where_cryptos_overlap_well(
    cryptos: list[tuple[float, float]], end_day: int
) -> None:
    known = [crypto(f"C{number}", *days) for number, days in enumerate(cryptos)]
    end_s = START_S + end_day * DAY_S
    assert planned(asked(), *known).backtest.window == Window(end_s - YEAR_S, end_s)
    # Also where they are named.
    assert planned(asked(*symbols_of(known)), *known).backtest.window.end_s == end_s


def test_a_start_without_an_end_is_kept() -> None:
    start_s = START_S + 400 * DAY_S
    # By its share alone, the window of OLDER would be the best: of one day, which all have.
    plan = planned(asked(start_s=start_s), *MANY, crypto("OLDER", 0, 401), ODD_OLD, ODD_NEW)
    assert plan.backtest.window == Window(start_s, START_S + 700 * DAY_S)
    assert symbols_of(plan.left_out) == ["NEW", "OLD"]
    with pytest.raises(InvalidInput, match=r"start_time: must be before the end of the data, 2025-12-01"):
        planned(asked(start_s=START_S + 700 * DAY_S), *MANY)


def test_named_cryptos_in_a_given_window_are_never_left_out() -> None:
    window = {"start_s": START_S, "end_s": START_S + DAY_S}
    plan = planned(asked("OLD", "C0", **window), *MANY, ODD_OLD)
    assert (symbols_of(plan.cryptos), plan.left_out) == (["OLD", "C0"], [])
    assert symbols_of(planned(asked(**window), *MANY, ODD_OLD).left_out) == ["OLD"]
    assert symbols_of(planned(asked("OLD", "C0", "C1"), *MANY, ODD_OLD).left_out) == ["OLD"]


def test_where_nothing_is_left_it_is_said() -> None:
    with pytest.raises(Refused) as caught:
        planned(asked(start_s=START_S + 1000 * DAY_S, end_s=START_S + 1001 * DAY_S), *MANY)
    assert str(caught.value) == (
        "none of the cryptos has a whole 1h candle in the window "
        "from 2026-09-27 00:00 UTC to 2026-09-28 00:00 UTC"
    )


def test_without_any_data_nothing_is_planned() -> None:
    with pytest.raises(Refused, match="there are no candles yet"):
        planned(asked())


@pytest.mark.parametrize("interval", list(Interval))
def test_no_window_ends_in_the_future(interval: Interval) -> None:
    now_s = START_S + 100 * DAY_S + 5 * HOUR_S + 17
    present_s = interval.opening(now_s)
    data = crypto("A", 0, 300)
    for end_s in (None, now_s + 1, START_S + 200 * DAY_S):
        plan = planned(asked(interval=interval, end_s=end_s), data, now_s=now_s)
        assert plan.backtest.window.end_s == present_s
    # What has begun already stays as it was asked for.
    assert planned(asked(interval=interval, end_s=now_s), data, now_s=now_s).backtest.window.end_s == now_s
    with pytest.raises(InvalidInput, match="start_time: must be before the present, 2024-0"):
        planned(asked(start_s=now_s, end_s=now_s + DAY_S, interval=interval), data, now_s=now_s)


@pytest.mark.parametrize(
    ("interval", "end_hour"), [(Interval.HOUR_1, 9605), (Interval.HOUR_4, 9604), (Interval.DAY_1, 9600)]
)
def test_the_default_end_is_that_of_the_last_candle_that_is_over(interval: Interval, end_hour: int) -> None:
    data = crypto("A", 0, 400 + 5 / 24)
    window = planned(asked(interval=interval), data).backtest.window
    assert window.end_s == START_S + end_hour * HOUR_S


def test_a_crypto_whose_only_day_is_not_over_has_no_candle() -> None:
    data = [crypto("A", 0, 400), crypto("B", 400 - 5 / 24, 400 - 1 / 24), crypto("C", 400.0, 400.5)]
    plan = planned(asked(interval=Interval.DAY_1), *data)
    assert symbols_of(plan.left_out) == ["B", "C"]


@given(
    spans=st.lists(st.tuples(st.integers(0, 900), st.integers(1, 900)), min_size=1, max_size=6),
    start=st.none() | st.integers(0, 900),
)
def test_the_default_end_as_a_loop_over_hours_finds_it(
    spans: list[tuple[int, int]], start: int | None
) -> None:
    cryptos = [crypto(str(number), first, first + days) for number, (first, days) in enumerate(spans)]
    ends = sorted({first + days for first, days in spans})
    possible = [end for end in ends if start is None or end > start]
    overlaps = {}
    for end in possible:
        begin = end - 365 if start is None else start
        overlaps[end] = sum(
            sum(first <= day < first + days for day in range(begin, end)) / (end - begin)
            for first, days in spans
        )
    enough = 0.9 * max(overlaps.values(), default=0) * (1 - 1e-12)
    expected = max((end for end in possible if overlaps[end] >= enough), default=ends[-1])
    start_s = None if start is None else START_S + start * DAY_S
    assert default_end_s(cryptos, Interval.HOUR_1, start_s, NOW_S) == START_S + expected * DAY_S


def test_candles_after_a_default_window_are_counted() -> None:
    # The window is the nine cryptos' year; the crypto that began after it is left out.
    known = [*(crypto(f"C{number}", 0, 365) for number in range(9)), crypto("NEW", 600, 700)]
    plan = planned(asked(), *known)
    assert (symbols_of(plan.left_out), plan.with_later_candles) == (["NEW"], 1)
    assert planned(asked(end_s=plan.backtest.window.end_s), *known).with_later_candles == 0
    assert planned(asked("NEW"), *known[-1:]).with_later_candles == 0
