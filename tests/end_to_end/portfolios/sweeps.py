"""Sweeps over portfolios, as tests request them."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backcast.backtest.v1 import result_pb2
from backcast.backtest.v1.portfolio_pb2 import PortfolioResult
from backcast.gateway.v1 import portfolio_sweep_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2 import (
    CACHE_MODE_BYPASS,
)
from backcast_engine import Detail
from backcast_engine.candles import Candles
from backcast_engine.portfolio import Portfolio
from services.wire.portfolios import portfolio_spec_to
from tests.end_to_end.portfolios.accounts import (
    PORTFOLIO,
    SYMBOLS,
    in_process,
)

if TYPE_CHECKING:
    from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub


def parameter(name: str, *values: float | str) -> Any:
    return {"name": name, "values": values}


def setting(name: str, *values: dict[str, Any]) -> Any:
    return {"name": name, "values": values}


def sweep_request(portfolio: Portfolio = PORTFOLIO, **fields: Any) -> pb.SweepPortfoliosRequest:
    """Return the request of a sweep over portfolios of twelve cryptos, computed anew."""
    others = {"symbols": SYMBOLS, "cache_mode": CACHE_MODE_BYPASS}
    ranges = fields.pop("ranges", [])
    request = pb.SweepPortfoliosRequest(spec=portfolio_spec_to(portfolio), **{**others, **fields})
    for each in ranges:
        added = request.ranges.add(name=each["name"])
        for value in each["values"]:
            kind = "string_value" if isinstance(value, str) else "number_value"
            setattr(added.values.add(), kind, value)
    return request


class Swept:
    """The events of one sweep, which came in the order that the API says."""

    def __init__(self, events: list[pb.SweepPortfoliosResponse]) -> None:
        kinds = [event.WhichOneof("event") for event in events]
        self.started = events[0].started
        self.summary = events[-1].summary
        self.progress = [event.progress for event in events if event.HasField("progress")]
        self.best = [event.best for event in events if event.HasField("best")][-1].rows
        self.rows = [row for event in events for row in event.rows.rows]
        rows = kinds.count("rows")
        assert kinds[0] == "started"
        assert kinds[-rows - 3 :] == ["progress", "best", *["rows"] * rows, "summary"]
        assert {*kinds[1 : -rows - 3]} <= {"progress", "best"}
        # Folds that have optimizers of their own may propose the same combinations.
        count = self.started.combination_count
        if self.started.request.HasField("search") and self.started.request.HasField("fold_count"):
            count = min(len(self.rows), count)
        assert [row.combination for row in self.rows] == list(range(count))


async def swept(gateway: "PortfolioServiceAsyncStub", request: pb.SweepPortfoliosRequest) -> Swept:
    """Run a sweep to the end."""
    return Swept([event async for event in gateway.SweepPortfolios(request)])


def metrics(portfolio: Portfolio, market: dict[str, Candles]) -> result_pb2.Metrics:
    """Return the metrics of the engine's own result."""
    return result_of(replace(portfolio, detail=Detail.METRICS), market).metrics


def result_of(portfolio: Portfolio, market: dict[str, Candles]) -> PortfolioResult:
    """Return the engine's own result, of the cryptos that have candles in the window."""
    window = portfolio.window
    there = {
        symbol: candles
        for symbol, candles in market.items()
        if ((candles.open_time_s >= window.start_s) & (candles.open_time_s < window.end_s)).any()
    }
    return in_process(portfolio, there)
