"""Sweeps over portfolios of several intervals, held against the engine in this process."""

from dataclasses import replace
from typing import TYPE_CHECKING

from backcast.gateway.v1.backtest_service_pb2 import CACHE_MODE_DEFAULT, CACHE_MODE_ONLY
from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest
from backcast_engine import Window
from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from backcast_engine.portfolio import WeightedStrategy
from backcast_engine.sweep import split_window
from services.wire.candles import interval_to
from tests.candle_making import longer_candles
from tests.end_to_end.portfolios.accounts import costing, traded
from tests.end_to_end.portfolios.sweeps import metrics, parameter, setting, sweep_request, swept

if TYPE_CHECKING:
    from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub


async def test_intervals_are_a_dimension(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    base = costing(4.75)
    intervals = [Interval.DAY_1, Interval.HOUR_1, Interval.HOUR_4]
    whole = {symbol: candles for symbol, candles in market.items() if symbol != "RUN02USDT"}
    request = sweep_request(
        base,
        symbols=whole,
        intervals=[interval_to(one) for one in intervals],
        ranges=[parameter("period", 5, 9)],
        portfolio_ranges=[setting("max_positions", {"max_positions": 2}, {"max_positions": 5})],
        split=0.65,
        cache_mode=CACHE_MODE_DEFAULT,
    )
    # Each of the window's ends is cut to the longest.
    request.spec.start_time.seconds -= 3 * 3600
    request.spec.end_time.seconds += 7 * 3600
    answer = await swept(portfolios, request)
    assert answer.started.request.intervals == request.intervals
    window = Window(
        answer.started.request.spec.start_time.seconds, answer.started.request.spec.end_time.seconds
    )
    fold = split_window(window, Interval.DAY_1, 0.65)
    longer = {
        one: {symbol: longer_candles(candles, one) for symbol, candles in whole.items()}
        for one in intervals[::2]
    }
    for row in answer.rows:
        interval, period, places = row.value_indexes
        strategy = base.strategies[0].strategy.with_values({"period": (5, 9)[period]})
        portfolio = replace(
            base,
            interval=intervals[interval],
            strategies=(WeightedStrategy(strategy),),
            max_positions=(2, 5)[places],
        )
        for part, cut in zip((row.train, row.test), fold.windows(), strict=True):
            seen = longer.get(portfolio.interval, whole)
            assert part == metrics(replace(portfolio, window=cut), seen), row.value_indexes
    assert [*answer.rows[5].value_indexes] == [1, 0, 1]
    # The luck is that of all, and the winner has the returns of its own candles.
    winner = answer.summary.winner_spec
    assert winner.interval == interval_to(intervals[answer.summary.winner.value_indexes[0]])
    assert answer.summary.selection_bias.trial_count == 12
    run = RunPortfolioRequest(symbols=whole, spec=winner, cache_mode=CACHE_MODE_ONLY)
    alone = await traded(portfolios, run)
    assert alone.result.metrics == answer.summary.winner.train
