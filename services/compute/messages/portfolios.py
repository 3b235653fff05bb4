"""Reads requests for portfolios, and converts their outcomes to responses."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from backcast.backtest.v1.portfolio_pb2 import PortfolioSpec
from backcast.compute.v1 import compute_service_pb2 as pb
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast_engine import Detail
from backcast_engine.curves import FEWEST_POINTS
from backcast_engine.errors import BackcastError, InvalidInput, Violation, Violations
from backcast_engine.interval import Interval
from backcast_engine.portfolio import Portfolio, PortfolioSize
from services.compute.candles.location import DataVersion
from services.compute.messages.backtests import check_others, read_cryptos, read_others, read_window
from services.compute.tasks.portfolio.run import SignalsFailed, TradedPortfolio
from services.rpc.status import status_of
from services.wire.backtests import detail_from, read_execution
from services.wire.candles import interval_from
from services.wire.portfolios import read_rank, read_weighted_strategies, rebalancing_from, size_from

# The gateway asks for fewer.
_MOST_PORTFOLIOS = 100


@dataclass(frozen=True, slots=True)
class AskedPortfolios:
    """Portfolios, their cryptos, and the other cryptos that they look at."""

    cryptos: list[DataVersion]
    portfolios: list[Portfolio]
    others: tuple[DataVersion, ...]


def asked_portfolios_from(request: pb.ComputePortfoliosRequest) -> AskedPortfolios:
    """Return what a request asks for; raise InvalidInput, naming every bad field."""
    violations = Violations()
    refs = {f"cryptos[{index}]": each for index, each in enumerate(request.cryptos)}
    cryptos = read_cryptos(refs, violations)
    others = read_others(request.other_cryptos, violations)
    if request.curve_points and request.curve_points < FEWEST_POINTS:
        reason = f"must be 0 for all, or at least {FEWEST_POINTS}, not {request.curve_points}"
        violations.add(Violation("curve_points", reason))
    if not 0 < len(request.specs) <= _MOST_PORTFOLIOS:
        reason = f"from 1 to {_MOST_PORTFOLIOS} are needed, not {len(request.specs)}"
        violations.add(Violation("specs", reason))
        violations.raise_if_any()
    detail = violations.read(Detail.METRICS, detail_from, request.detail)
    portfolios = []
    for index, spec in enumerate(request.specs):
        found = Violations()
        portfolio = replace(_read(spec, found), detail=detail, curve_points=request.curve_points)
        faults = portfolio.violations([data.symbol for data in cryptos])
        found.add(*faults)
        if not faults:
            check_others(portfolio.other_symbols, others, violations)
        try:
            found.raise_if_any()
        except InvalidInput as error:
            named = (Violation(f"specs[{index}].{each.field}", each.reason) for each in error.violations)
            violations.add(*named)
        portfolios.append(portfolio)
    if len({_common(portfolio) for portfolio in portfolios}) > 1:
        reason = "must have the same interval, window and break rule"
        violations.add(Violation("specs", reason))
    violations.raise_if_any()
    return AskedPortfolios(cryptos, portfolios, others)


def _read(spec: PortfolioSpec, violations: Violations) -> Portfolio:
    return Portfolio(
        strategies=read_weighted_strategies(spec.strategies, violations),
        interval=violations.read(Interval.HOUR_1, interval_from, spec.interval),
        window=read_window(spec, violations),
        execution=read_execution(spec.execution, violations),
        max_positions=spec.max_positions,
        rank=read_rank(spec, violations),
        size=violations.read(None, size_from, spec.size) or PortfolioSize.EQUAL,
        rebalancing=rebalancing_from(spec),
        benchmark=spec.benchmark or None,
    )


def _common(portfolio: Portfolio) -> tuple[object, ...]:
    return portfolio.interval, portfolio.window, portfolio.execution.break_rule


def portfolio_responses(
    outcome: int | TradedPortfolio, asked: AskedPortfolios
) -> Iterator[pb.ComputePortfoliosResponse]:
    """Yield the responses of an outcome: progress, a failure, or the parts of a result.

    A part is shorter than 1 MiB.
    """
    if isinstance(outcome, int):
        yield pb.ComputePortfoliosResponse(completed_crypto_count=outcome)
        return
    if isinstance(outcome.result, BackcastError):
        yield pb.ComputePortfoliosResponse(failure=status_of(outcome.result), portfolio=outcome.number)
        return
    newer = sorted({*outcome.cryptos} - {*asked.cryptos, *asked.others}, key=lambda data: data.symbol)
    for number, part in enumerate(outcome.result, 1):
        yield pb.ComputePortfoliosResponse(
            result=ComputedResult.FromString(part),
            result_continues=number < len(outcome.result),
            newer_cryptos=[
                pb.CryptoRef(symbol=data.symbol, fingerprint=data.fingerprint)
                for data in (newer if number == 1 else ())
            ],
            portfolio=outcome.number,
        )


def portfolio_failure(error: BackcastError | SignalsFailed) -> pb.ComputePortfoliosResponse:
    """Return the response of portfolios without a result; the message names the crypto that has failed."""
    if not isinstance(error, SignalsFailed):
        return pb.ComputePortfoliosResponse(failure=status_of(error))
    status = status_of(error.error)
    status.message = f"{error.symbol}: {status.message}"
    return pb.ComputePortfoliosResponse(failure=status)
