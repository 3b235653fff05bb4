"""Converts requests for portfolios to PortfolioRequest, and plans of portfolios back to requests."""

from backcast.backtest.v1.portfolio_pb2 import PortfolioSpec
from backcast.gateway.v1 import portfolio_service_pb2 as pb
from backcast_engine.errors import Violations
from services.domain.symbols import canonical_symbol
from services.gateway.messages.runs import (
    left_out_to,
    read_run_request,
    run_request_to,
    with_detail,
)
from services.gateway.planning.portfolio_plan import PortfolioPlan, PortfolioRequest
from services.gateway.planning.run_plan import RunRequest
from services.wire.portfolios import (
    portfolio_spec_to,
    read_rank,
    read_weighted_strategies,
    rebalancing_from,
    size_from,
)


def portfolio_request_from(request: pb.RunPortfolioRequest) -> PortfolioRequest:
    """Return what a client asks for; raise InvalidInput, naming every bad field."""
    violations = Violations()
    run = with_detail(request, read_run_request(request, violations), violations)
    asked = read_portfolio(request.spec, run, violations)
    violations.raise_if_any(asked.violations)
    return asked


def read_portfolio(spec: PortfolioSpec, run: RunRequest, violations: Violations) -> PortfolioRequest:
    """Return a portfolio, with defaults for what cannot be read; `run` is what it has in common with runs."""
    return PortfolioRequest(
        run=run,
        strategies=read_weighted_strategies(spec.strategies, violations),
        max_positions=spec.max_positions if spec.HasField("max_positions") else None,
        rank=read_rank(spec, violations),
        size=violations.read(None, size_from, spec.size),
        rebalancing=rebalancing_from(spec),
        benchmark=violations.read("", canonical_symbol, spec.benchmark, "benchmark")
        if spec.benchmark
        else "",
    )


def portfolio_started(plan: PortfolioPlan, run_id: str) -> pb.PortfolioStarted:
    """Return the portfolio as it was understood, every default filled in."""
    run = run_request_to(plan.run, run_id)
    return pb.PortfolioStarted(
        request=pb.RunPortfolioRequest(
            symbols=[crypto.symbol for crypto in plan.cryptos],
            spec=portfolio_spec_to(plan.portfolio),
            detail=run.detail,
            cache_mode=run.cache_mode,
            curve_points=run.curve_points,
            run_id=run_id,
        ),
        crypto_count=len(plan.cryptos),
        run_id=run_id,
        left_out=left_out_to(plan.run),
        cryptos_with_later_candles=plan.run.with_later_candles,
    )
