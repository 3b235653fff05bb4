"""Reads requests for portfolios, and converts their outcomes to responses."""

from collections.abc import Iterator
from dataclasses import dataclass

from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast_engine import Detail
from backcast_engine.curves import FEWEST_POINTS
from backcast_engine.errors import BackcastError, Violation, Violations
from backcast_engine.interval import Interval
from backcast_engine.portfolio import Portfolio, PortfolioSize
from services.compute.candles.location import DataVersion
from services.compute.messages.backtests import check_others, read_cryptos, read_others, read_window
from services.compute.tasks.portfolio.run import SignalsFailed, TradedPortfolio
from services.rpc.status import status_of
from services.wire.backtests import detail_from, read_execution
from services.wire.candles import interval_from
from services.wire.portfolios import read_rank, read_weighted_strategies, rebalancing_from, size_from


@dataclass(frozen=True, slots=True)
class AskedPortfolio:
    """A portfolio, its cryptos, and the other cryptos that it looks at."""

    cryptos: list[DataVersion]
    portfolio: Portfolio
    others: tuple[DataVersion, ...]


def asked_portfolio_from(request: pb.ComputePortfolioRequest) -> AskedPortfolio:
    """Return what a request asks for; raise InvalidInput, naming every bad field."""
    violations, spec = Violations(), request.spec
    refs = {f"cryptos[{index}]": each for index, each in enumerate(request.cryptos)}
    cryptos = read_cryptos(refs, violations)
    others = read_others(request.other_cryptos, violations)
    if request.curve_points and request.curve_points < FEWEST_POINTS:
        reason = f"must be 0 for all, or at least {FEWEST_POINTS}, not {request.curve_points}"
        violations.add(Violation("curve_points", reason))
    portfolio = Portfolio(
        strategies=read_weighted_strategies(spec.strategies, violations),
        interval=violations.read(Interval.HOUR_1, interval_from, spec.interval),
        window=read_window(spec, violations),
        execution=read_execution(spec.execution, violations),
        max_positions=spec.max_positions,
        rank=read_rank(spec, violations),
        size=violations.read(None, size_from, spec.size) or PortfolioSize.EQUAL,
        rebalancing=rebalancing_from(spec),
        benchmark=spec.benchmark or None,
        detail=violations.read(Detail.METRICS, detail_from, request.detail),
        curve_points=request.curve_points,
    )
    faults = portfolio.violations([data.symbol for data in cryptos])
    violations.add(*faults)
    if not faults:
        check_others(portfolio.other_symbols, others, violations)
    violations.raise_if_any()
    return AskedPortfolio(cryptos, portfolio, others)


def portfolio_responses(
    outcome: int | TradedPortfolio, asked: AskedPortfolio
) -> Iterator[pb.ComputePortfolioResponse]:
    """Yield the responses of an outcome: progress, or the parts of the result, each shorter than 1 MiB."""
    if isinstance(outcome, int):
        yield pb.ComputePortfolioResponse(completed_crypto_count=outcome)
        return
    newer = sorted({*outcome.cryptos} - {*asked.cryptos, *asked.others}, key=lambda data: data.symbol)
    for number, part in enumerate(outcome.parts, 1):
        yield pb.ComputePortfolioResponse(
            result=ComputedResult.FromString(part),
            result_continues=number < len(outcome.parts),
            newer_cryptos=[
                pb.CryptoRef(symbol=data.symbol, fingerprint=data.fingerprint)
                for data in (newer if number == 1 else ())
            ],
        )


def portfolio_failure(error: BackcastError | SignalsFailed) -> pb.ComputePortfolioResponse:
    """Return the response of a portfolio without a result; the message names the crypto that has failed."""
    if not isinstance(error, SignalsFailed):
        return pb.ComputePortfolioResponse(failure=status_of(error))
    status = status_of(error.error)
    status.message = f"{error.symbol}: {status.message}"
    return pb.ComputePortfolioResponse(failure=status)
