"""Chunks: bit by bit what single backtests give, whatever they are cut into."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backcast_engine import (
    METRIC_NAMES,
    Backtest,
    Detail,
    Direction,
    Distance,
    Execution,
    FillTime,
    Strategy,
    VolatilityTarget,
    Window,
    columns_of,
    run_backtest,
)
from backcast_engine.candles import Candles
from backcast_engine.errors import NotFound, Refused
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.rules import Evaluation
from backcast_engine.rules.nodes import Call
from backcast_engine.rules.parse import parse
from backcast_engine.rules.text import text
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.ma_cross import MaCross
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.strategies.supertrend import Supertrend
from backcast_engine.sweep import (
    ChunkFigures,
    Grid,
    ParameterValues,
    SettingValues,
    Sweep,
    SweepChunk,
    chunk_size,
    columns_of_sweep,
    compute_chunk,
    make_grid,
)
from tests.candle_making import START_S, random_candles

HOUR = Interval.HOUR_1
HOURS = 600
CANDLES = random_candles(7, HOURS)
WINDOWS = (
    Window(START_S + 3600 * 200, START_S + 3600 * 400),
    Window(START_S + 3600 * 400, START_S + 3600 * 600),
)
STRETCHES = (5, 3)
EXECUTIONS = [
    Execution(),
    Execution(stop_loss=Distance(atr_multiple=2.0), slippage_bps=3.0),
    Execution(volatility_target=VolatilityTarget(0.4)),
]
GRIDS = [
    make_grid(Rsi(), [ParameterValues("period", [3, 9, 14]), ParameterValues("oversold", [30, 45, 80])]),
    make_grid(
        MaCross(),
        [
            ParameterValues("fast", [2, 5, 20]),
            ParameterValues("kind", ["EMA", "SMA"]),
            ParameterValues("slow", [4, 9, 90]),
        ],
    ),
    make_grid(Supertrend(), [ParameterValues("period", [3, 7]), ParameterValues("multiple", [1.0, 2.5])]),
]

# Every kind of setting: a stop or none, in fractions and in ATRs, sides, fill times, sizes and costs.
SETTINGS = [
    SettingValues(
        "stop_loss",
        (Execution(stop_loss=Distance(0.02)), Execution(stop_loss=Distance(None, 2.0)), Execution()),
    ),
    SettingValues("direction", (Execution(), Execution(direction=Direction.LONG_SHORT))),
    SettingValues("fill_time", (Execution(fill_time=FillTime.SAME_CLOSE), Execution())),
    SettingValues("size", (Execution(), Execution(volatility_target=VolatilityTarget(0.4)))),
    SettingValues("fee_rate", (Execution(fee_rate=0.0), Execution(fee_rate=0.004))),
]
RULES = make_grid(
    CustomRules(parse("rsi({n}) < {low}", "entry"), parse("rsi({n}) > 60", "exit")),
    [ParameterValues("n", [3, 9]), ParameterValues("low", [30, 45.5])],
)
MANY = make_grid(RULES.base, [ParameterValues("n", [3, 9]), ParameterValues("low", [40])], SETTINGS)


def chunk_of(grid: Grid, execution: Execution, windows: tuple[Window, ...], part: slice) -> SweepChunk:
    positions = grid.possible()[part]
    return SweepChunk(Sweep(grid, HOUR, windows, execution, STRETCHES), part.start or 0, positions)


def single(candles: Candles, strategy: Strategy, window: Window, execution: Execution) -> list[float]:
    metrics = run_backtest(History(candles), Backtest(strategy, HOUR, window, execution)).metrics
    values = [getattr(metrics, name) for name in METRIC_NAMES]
    return [np.nan if value is None else value for value in values]


@pytest.mark.parametrize("execution", EXECUTIONS, ids=["plain", "stop", "target"])
@pytest.mark.parametrize("grid", [*GRIDS, RULES, MANY], ids=lambda grid: grid.base.name)
def test_a_chunk_is_its_single_backtests_bit_by_bit(grid: Grid, execution: Execution) -> None:
    computed = compute_chunk(History(CANDLES), chunk_of(grid, execution, WINDOWS, slice(None)))
    expected = np.array(
        [
            [
                single(CANDLES, grid.strategy(position), window, grid.execution(position, execution))
                for window in WINDOWS
            ]
            for position in grid.possible().tolist()
        ]
    )
    assert computed.figures.tobytes() == expected.tobytes()
    assert (computed.failed, computed.first_failure) == (0, None)


@pytest.mark.parametrize("execution", EXECUTIONS, ids=["plain", "stop", "target"])
@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: grid.base.name)
def test_returns_are_those_of_the_single_backtests_equity(grid: Grid, execution: Execution) -> None:
    # The first stretch of 40 hours has no candle, the second misses its last one.
    there = np.ones(HOURS, np.bool_)
    there[200:240] = there[279] = False
    candles = Candles(*(column[there] for column in CANDLES.columns()))
    computed = compute_chunk(History(candles), chunk_of(grid, execution, WINDOWS, slice(None)))
    expected = []
    for position in grid.possible().tolist():
        row = []
        for window, stretches in zip(WINDOWS, STRETCHES, strict=True):
            curve = run_backtest(
                History(candles), Backtest(grid.strategy(position), HOUR, window, execution, Detail.EQUITY)
            ).equity_curve
            assert curve is not None
            before = execution.initial_capital
            for end in range(1, stretches + 1):
                end_s = window.start_s + 3600 * 200 * end / stretches
                closes = curve.equity[curve.open_time_s < end_s]
                last = float(closes[-1]) if len(closes) else before
                row.append(last / before - 1)
                before = last
        expected.append(row)
    assert computed.returns.dtype == np.float32
    np.testing.assert_array_equal(computed.returns, np.array(expected, np.float32))
    assert (computed.returns[:, 0] == 0).all()


@given(cut=st.integers(0, 20), grid=st.sampled_from(GRIDS))
@settings(max_examples=20)
def test_where_a_sweep_is_cut_into_chunks_changes_nothing(cut: int, grid: Grid) -> None:
    parts = [slice(0, cut), slice(cut, None)]
    whole, *halves = (
        compute_chunk(History(CANDLES), chunk_of(grid, Execution(), WINDOWS, part))
        for part in (slice(None), *parts)
    )
    assert np.concatenate([half.figures for half in halves]).tobytes() == whole.figures.tobytes()
    assert np.concatenate([half.returns for half in halves]).tobytes() == whole.returns.tobytes()


def test_columns_that_are_not_read_may_be_empty() -> None:
    for grid in GRIDS:
        for execution in EXECUTIONS:
            chunk = chunk_of(grid, execution, WINDOWS, slice(None))
            read = columns_of_sweep(chunk.sweep)
            assert read == columns_of(grid.strategy(0), execution)
            columns = {name: getattr(CANDLES, name) for name in read}
            empty = {name: np.empty(0) for name in ("open", "high", "low", "close", "volume")}
            some = Candles(CANDLES.open_time_s, **{**empty, **columns})
            assert (
                compute_chunk(History(some), chunk).figures.tobytes()
                == compute_chunk(History(CANDLES), chunk).figures.tobytes()
            )


def test_combinations_that_need_more_candles_are_undefined_and_counted() -> None:
    grid = make_grid(MaCross(fast=2), [ParameterValues("slow", [5, 700, 9, 500])])
    computed = compute_chunk(History(CANDLES), chunk_of(grid, Execution(), WINDOWS, slice(None)))
    undefined = np.isnan(computed.figures).all(axis=2)
    assert undefined.tolist() == [[False, False], [True, True], [False, False], [True, False]]
    failed = np.repeat(undefined, STRETCHES, axis=1)
    assert (np.isnan(computed.returns) == failed).all()
    assert computed.failed == 3
    assert isinstance(computed.first_failure, Refused)
    assert "need 700 candles, and there are 400" in str(computed.first_failure)


def test_a_window_without_candles_fails_for_all_combinations() -> None:
    after = Window(WINDOWS[-1].end_s, WINDOWS[-1].end_s + 3600)
    chunk = chunk_of(GRIDS[0], Execution(), (after, WINDOWS[0]), slice(None))
    computed: ChunkFigures = compute_chunk(History(CANDLES), chunk)
    assert np.isnan(computed.figures[:, 0]).all()
    assert not np.isnan(computed.figures[:, 1, 0]).any()
    assert computed.failed == len(chunk.positions)
    assert isinstance(computed.first_failure, NotFound)


def test_chunks_have_256_backtests_or_one_combination() -> None:
    assert [chunk_size(windows) for windows in (1, 2, 10, 200, 1000)] == [256, 128, 25, 1, 1]


def test_an_indicator_of_several_combinations_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[str] = []
    inner = Evaluation._computed

    def counting(self: Evaluation, node: Call) -> object:
        computed.append(text(node))
        return inner(self, node)

    monkeypatch.setattr(Evaluation, "_computed", counting)
    compute_chunk(History(CANDLES), chunk_of(MANY, Execution(), WINDOWS, slice(None)))
    # Of 96 combinations, once for each window and each length of warm-up: that of the rule or of a stop.
    assert MANY.size == 96
    assert computed.count("rsi(3)") <= 2 * 3
    assert computed.count("rsi(9)") <= 2 * 3
    assert computed.count("atr(14)") <= 2 * 2


def test_a_sweep_reads_the_columns_of_all_its_executions() -> None:
    def columns(*settings: SettingValues) -> tuple[str, ...]:
        grid = make_grid(Rsi(), [ParameterValues("period", [5])], settings)
        return columns_of_sweep(Sweep(grid, HOUR, WINDOWS, Execution(), STRETCHES))

    assert columns() == columns(SETTINGS[2], SETTINGS[3]) == ("open", "close")
    assert columns(SETTINGS[0]) == columns(SETTINGS[1]) == ("open", "high", "low", "close")
