"""A portfolio as requested, and as planned: defaults filled in, everything checked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from backcast_engine import BreakRule, Detail, Execution, Window
from backcast_engine.errors import Violation, Violations
from backcast_engine.portfolio import (
    USUAL_BENCHMARK,
    Portfolio,
    PortfolioSize,
    Rebalancing,
    WeightedStrategy,
)
from backcast_engine.rules import Expression
from services.domain.errors import TooLarge
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.run_plan import RunPlan, RunRequest, make_plan, unknown_symbols

DEFAULT_MAX_POSITIONS = 10
# The worker that trades the account has all candles and signals in memory, a hundred bytes for each. These
# are ten years of hours of 228 cryptos.
MAX_CANDLES = 20_000_000

_USUAL = Execution()


@dataclass(frozen=True, slots=True)
class PortfolioRequest:
    """What a client asked for.

    `run` is all that a portfolio has in common with a run; its strategy is none of the portfolio's. None for
    `max_positions` or `size`, and an empty `benchmark`, stand for defaults.
    """

    run: RunRequest
    strategies: tuple[WeightedStrategy, ...]
    max_positions: int | None
    rank: Expression | None
    size: PortfolioSize | None
    rebalancing: Rebalancing | None
    benchmark: str

    def violations(self) -> list[Violation]:
        """Return what is wrong with the request, as far as it can be found without the data."""
        run = self.run
        named = [symbol for symbol in run.symbols if symbol not in run.exclude]
        portfolio = self.portfolio(named, Window(run.start_s or 0, run.end_s or 0))
        found = portfolio.violations(named or None)
        # Both check the execution.
        fields = {violation.field for violation in found}
        found += [each for each in run.violations_beside_strategy() if each.field not in fields]
        found += self._size_conflicts()
        if run.execution.break_rule is BreakRule.SPLIT:
            reason = "a portfolio has no results of parts: close, instead of split, trades the same"
            found.append(Violation("execution.break_rule", reason))
        return found

    def conflicts(self) -> list[Violation]:
        """Return violations between values that are each right by themselves."""
        found = self.account_conflicts()
        for index, each in enumerate(self.strategies):
            found += each.strategy.conflicts(f"strategies[{index}].strategy.{each.strategy.name}")
        return found

    def account_conflicts(self) -> list[Violation]:
        """Return those of the conflicts that no parameter of a strategy has a part in."""
        return self._size_conflicts() + self.portfolio((), Window(0, 0)).rebalancing_conflicts()

    def _size_conflicts(self) -> list[Violation]:
        if self.size is not PortfolioSize.EQUAL or not _has_size(self.run.execution):
            return []
        return [Violation("size", "is an equal share, but the execution has a size too: leave one out")]

    @property
    def planned_run(self) -> RunRequest:
        """The run of a valid portfolio, with all other candles that its strategies and its rank look at."""
        portfolio = self.portfolio(list(self.run.symbols), Window(0, 0))
        return replace(self.run, also_seen=tuple(portfolio.located_other_candles()))

    def portfolio(self, symbols: Sequence[str], window: Window) -> Portfolio:
        """Return the portfolio of cryptos, whose defaults depend on them."""
        run, size = self.run, self.size
        if size is None:
            size = PortfolioSize.EXECUTION if _has_size(run.execution) else PortfolioSize.EQUAL
        default_positions = min(DEFAULT_MAX_POSITIONS, len(symbols) or DEFAULT_MAX_POSITIONS)
        return Portfolio(
            strategies=self.strategies,
            interval=run.interval,
            window=window,
            execution=run.execution,
            max_positions=default_positions if self.max_positions is None else self.max_positions,
            rank=self.rank,
            size=size,
            rebalancing=self.rebalancing,
            benchmark=self.benchmark or (USUAL_BENCHMARK if USUAL_BENCHMARK in symbols else None),
            detail=run.detail,
            # What nobody sees makes no difference: the same result is cached once.
            curve_points=run.curve_points if run.detail >= Detail.EQUITY else 0,
        )


@dataclass(frozen=True, slots=True)
class PortfolioPlan:
    """A portfolio of many cryptos, in order of symbols; `run` is the run of one of its strategies."""

    run: RunPlan
    cryptos: list[CryptoData]
    portfolio: Portfolio

    @property
    def backtests(self) -> int:
        """Strategies on cryptos."""
        return len(self.cryptos) * len(self.portfolio.strategies)

    @property
    def factors(self) -> str:
        """The factors of the number of backtests, in words."""
        return f"{len(self.cryptos):,} cryptos × {len(self.portfolio.strategies):,} strategies"

    @property
    def strategy_names(self) -> str:
        """The names of its strategies, each once."""
        return ", ".join(dict.fromkeys(each.strategy.name for each in self.portfolio.strategies))


def make_portfolio_plan(request: PortfolioRequest, known: list[CryptoData], now_s: int) -> PortfolioPlan:
    """Return the plan for `request`; `known` are the cryptos of its `planned_run`, or all of them.

    `now_s` is the present in Unix seconds. Raises InvalidInput, naming the fields, for what cannot be done;
    TooLarge where there would be too many candles; Refused where there is no data at all, or none in the
    window.
    """
    violations = Violations()
    asked = request.planned_run
    violations.add(*request.violations(), *unknown_symbols(asked, known))
    violations.raise_if_any()
    run = make_plan(asked, known, now_s)
    cryptos = sorted(run.cryptos, key=lambda crypto: crypto.symbol)
    symbols = [crypto.symbol for crypto in cryptos]
    portfolio = request.portfolio(symbols, run.backtest.window)
    violations.add(*portfolio.violations(symbols))
    violations.raise_if_any()
    check_candles(portfolio, len(cryptos))
    return PortfolioPlan(run, cryptos, portfolio)


def _has_size(execution: Execution) -> bool:
    """Return whether an execution names a size other than all of the equity."""
    names = ("equity_fraction", "quote_amount", "volatility_target")
    return any(getattr(execution, name) != getattr(_USUAL, name) for name in names)


def check_candles(portfolio: Portfolio, cryptos: int) -> None:
    """Raise TooLarge where a portfolio of so many cryptos has too many candles."""
    window, legs = portfolio.window, cryptos * len(portfolio.strategies)
    candles = (window.end_s - window.start_s) // portfolio.interval.seconds
    if candles * legs > MAX_CANDLES:
        reason = (
            f"{cryptos:,} cryptos × {len(portfolio.strategies):,} strategies × {candles:,} candles are "
            f"{candles * legs:,}, and at most {MAX_CANDLES:,} are allowed: choose fewer or longer candles"
        )
        raise TooLarge(Violation("start_time", reason), limit=str(MAX_CANDLES), requested=str(candles * legs))
