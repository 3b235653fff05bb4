"""Runs portfolios for tests, and collects their events."""

from collections.abc import AsyncIterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backcast.backtest.v1.portfolio_pb2 import PortfolioResult
from backcast.gateway.v1 import backtest_service_pb2, portfolio_service_pb2
from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest, RunPortfolioResponse
from backcast_engine import Detail, Direction, Distance, Execution, VolatilityTarget, Window
from backcast_engine.candles import Candles
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.portfolio import Portfolio, PortfolioSize, WeightedStrategy, crypto_orders, run_portfolio
from backcast_engine.rules import Expression
from backcast_engine.rules.parse import parse
from backcast_engine.rules.signature import ValueKind
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.strategies.supertrend import Supertrend
from services.wire.backtests import detail_to
from services.wire.portfolio_results import portfolio_result_message
from services.wire.portfolios import portfolio_spec_to
from tests.candle_making import START_S

if TYPE_CHECKING:
    from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub

SYMBOLS = [f"RUN{number:02}USDT" for number in range(12)]
WEEK_S = 7 * 86_400
# From the fifth week to the end of the thirteenth.
WINDOW = Window(START_S + 4 * WEEK_S, START_S + 13 * WEEK_S)
PORTFOLIO = Portfolio(
    strategies=(WeightedStrategy(Rsi(oversold=40.0, overbought=60.0)),),
    interval=Interval.HOUR_1,
    window=WINDOW,
    execution=Execution(),
    max_positions=3,
    detail=Detail.EQUITY,
)


def portfolio_request(portfolio: Portfolio = PORTFOLIO, **fields: Any) -> RunPortfolioRequest:
    """Return the request of a portfolio of twelve cryptos, computed anew."""
    others = {
        "symbols": SYMBOLS,
        "cache_mode": backtest_service_pb2.CACHE_MODE_BYPASS,
        "detail": detail_to(portfolio.detail),
        "curve_points": portfolio.curve_points,
    }
    return RunPortfolioRequest(spec=portfolio_spec_to(portfolio), **{**others, **fields})


def in_process(
    portfolio: Portfolio, market: dict[str, Candles], others: dict[str, Candles] | None = None
) -> PortfolioResult:
    """Return the message of the engine's own result of a portfolio on whole histories.

    Its rules can look at the cryptos of the market, and at `others`.
    """
    seen = {symbol: History(candles) for symbol, candles in {**market, **(others or {})}.items()}
    orders = [
        crypto_orders(symbol, History(market[symbol], others=seen), portfolio) for symbol in sorted(market)
    ]
    return portfolio_result_message(run_portfolio(orders, portfolio))


class Traded:
    """The events of one portfolio, which came in the order that the API says."""

    def __init__(self, events: list[RunPortfolioResponse]) -> None:
        self.events = events
        self.kinds = [event.WhichOneof("event") for event in events]
        assert self.kinds[0] == "started"
        assert self.kinds[-1] == "summary"
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        self.started = events[0].started
        self.progress = [event.progress for event in events if event.HasField("progress")]
        self.parts = [event for event in events if "result" in (event.WhichOneof("event") or "")]
        assert self.kinds == [
            *("started", *["progress"] * len(self.progress)),
            *("result", *["result_continuation"] * (len(self.parts) - 1), "summary"),
        ]
        assert [event.result_continues for event in self.parts] == [True] * (len(self.parts) - 1) + [False]
        self.result = PortfolioResult()
        for event in self.parts:
            self.result.MergeFrom(event.result if event.HasField("result") else event.result_continuation)
        self.summary: portfolio_service_pb2.PortfolioSummary = events[-1].summary

    @property
    def outcome(self) -> bytes:
        """All that must not depend on time, workers or cache, bit by bit."""
        outcome = PortfolioResult()
        outcome.CopyFrom(self.result)
        outcome.from_cache = False
        return outcome.SerializeToString(deterministic=True)


async def collected(events: AsyncIterable[RunPortfolioResponse]) -> Traded:
    """Read the events of a portfolio to the end."""
    return Traded([event async for event in events])


async def traded(gateway: "PortfolioServiceAsyncStub", request: RunPortfolioRequest) -> Traded:
    """Run a portfolio to the end."""
    return await collected(gateway.RunPortfolio(request))


def without_window(request: RunPortfolioRequest) -> RunPortfolioRequest:
    """Return a request whose window is the default one."""
    open_ended = RunPortfolioRequest()
    open_ended.CopyFrom(request)
    open_ended.spec.ClearField("start_time")
    open_ended.spec.ClearField("end_time")
    return open_ended


def costing(slippage_bps: float, **fields: Any) -> Portfolio:
    """Return a portfolio that no other test makes, by its slippage."""
    return replace(PORTFOLIO, execution=Execution(slippage_bps=slippage_bps), **fields)


def series(text: str) -> Expression:
    return parse(text, "rank", ValueKind.SERIES)


EVERYTHING = replace(
    PORTFOLIO,
    strategies=(
        WeightedStrategy(Rsi(oversold=40.0, overbought=60.0), 0.25),
        WeightedStrategy(Supertrend(), 0.75),
    ),
    execution=Execution(
        direction=Direction.LONG_SHORT,
        volatility_target=VolatilityTarget(0.5, 24),
        stop_loss=Distance(atr_multiple=3.0),
        slippage_bps=2.0,
        borrow_rate=0.1,
    ),
    rank=series("roc(168)"),
    size=PortfolioSize.EXECUTION,
)
