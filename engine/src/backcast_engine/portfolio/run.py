"""Runs a portfolio: the orders of many cryptos in, its result out."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from backcast_engine.candles import PriceColumn, open_close_candles
from backcast_engine.curves import equity_curve, monthly_returns
from backcast_engine.errors import ErrorReason, InvalidInput, NotFound
from backcast_engine.execution import FillTime
from backcast_engine.metrics import measure, measure_curve
from backcast_engine.portfolio.figures import (
    against_benchmark,
    correlations,
    holding_curve,
    returns_of,
)
from backcast_engine.portfolio.market import traded
from backcast_engine.portfolio.orders import CryptoOrders
from backcast_engine.portfolio.request import USUAL_BENCHMARK, Portfolio
from backcast_engine.portfolio.results import (
    BenchmarkResult,
    CryptoResult,
    PortfolioCurve,
    PortfolioResult,
    PortfolioTrade,
)
from backcast_engine.portfolio.timeline import Timeline
from backcast_engine.results import Detail, ExitReason, Metrics
from backcast_engine.simulation import NO_COLUMN, Simulation
from backcast_engine.traded_window import metrics_of
from backcast_engine.trades import trade_records


def run_portfolio(cryptos: Iterable[CryptoOrders], portfolio: Portfolio) -> PortfolioResult:
    """Trade the orders of all cryptos with one account; the order of the cryptos changes nothing.

    Raises InvalidInput where the portfolio is wrong or does not fit to the cryptos, NotFound where there is
    no crypto, and Refused if prices are so extreme that the equity or a trade is beyond the numbers of a
    float64.
    """
    ordered = sorted(cryptos, key=lambda each: each.symbol)
    if not ordered:
        raise NotFound("no crypto has candles in the window", reason=ErrorReason.NO_CANDLES_IN_WINDOW)
    if found := portfolio.violations([each.symbol for each in ordered]):
        raise InvalidInput(*found)
    # Prices of 1e300 overflow; `measure` checks the outcome.
    with np.errstate(all="ignore"):
        return _Run(ordered, portfolio).result()


class _Run:
    """The cryptos of a portfolio in order of their symbols, their common time, and the account."""

    def __init__(self, cryptos: Sequence[CryptoOrders], portfolio: Portfolio) -> None:
        self._cryptos, self._portfolio = cryptos, portfolio
        self._capital = portfolio.execution.initial_capital
        self._timeline = Timeline.of([each.candles.open_time_s for each in cryptos])
        self._times = self._timeline.time_s
        self._account = traded(cryptos, portfolio, self._timeline)

    def result(self) -> PortfolioResult:
        """Return the result in the detail that the portfolio asks for."""
        account, detail, capital = self._account, self._portfolio.detail, self._capital
        hold = self._hold()
        metrics = metrics_of(self._figures(np.nan if hold is None else hold[-1]))
        if hold is None:
            # Without a crypto that can be held, there is cash.
            hold = np.ones(len(self._times))
        wants_trades, wants_curve = detail >= Detail.TRADES, detail >= Detail.EQUITY
        return PortfolioResult(
            metrics=metrics,
            cryptos=self._crypto_results(),
            hold=self._curve_metrics(capital * hold),
            benchmark=self._benchmark(),
            correlation=(
                correlations(account.changes, account.had, account.equity, capital) if wants_trades else None
            ),
            trades=self._trades() if wants_trades else (),
            curve=self._curve(capital * hold) if wants_curve else None,
            monthly_returns=monthly_returns(self._times, account.equity, capital) if wants_curve else (),
        )

    def _hold(self) -> PriceColumn | None:
        """Return how holding equal shares of all cryptos that can be held has grown; None if there are none.

        One crypto after the other: hundreds of columns at a time would not stay in the processor's cache.
        """
        total, held = np.zeros(len(self._times)), 0
        for number in range(len(self._cryptos)):
            growth = self._growth(number)
            if growth is not None:
                total += growth
                held += 1
        return total / held if held else None

    def _growth(self, number: int) -> PriceColumn | None:
        """Return how holding a crypto has grown until each close; None if it cannot be held."""
        at_close = self._portfolio.execution.fill_time is FillTime.SAME_CLOSE
        crypto = self._cryptos[number]
        growth = holding_curve(crypto.candles, crypto.part_ends, at_close=at_close)
        if np.isnan(growth[-1]):
            return None
        return self._timeline.spread(growth, number, 1.0)

    def _figures(self, holding: float) -> NDArray[np.float64]:
        account = self._account
        trades = account.trades.copy()
        # Trades count the candles of their own crypto; of an exit, figures only ask whether there is one.
        trades["exit"] = np.where(trades["reason"] == ExitReason.NOT_CLOSED, len(self._times), 0)
        return measure(
            open_close_candles(self._times, NO_COLUMN, NO_COLUMN),
            Simulation(account.equity, trades, account.held, float(account.cash[-1])),
            self._capital,
            self._portfolio.interval,
            holding,
        )

    def _curve_metrics(self, equity: PriceColumn) -> Metrics:
        interval = self._portfolio.interval
        elapsed_s = int(self._times[-1] - self._times[0]) + interval.seconds
        return metrics_of(measure_curve(equity, self._capital, elapsed_s, interval))

    def _benchmark(self) -> BenchmarkResult | None:
        symbols = [each.symbol for each in self._cryptos]
        symbol = self._portfolio.benchmark or USUAL_BENCHMARK
        growth = self._growth(symbols.index(symbol)) if symbol in symbols else None
        if growth is None:
            return None
        figures = against_benchmark(
            returns_of(self._account.equity, self._capital),
            returns_of(growth, 1.0),
            self._portfolio.interval.seconds,
        )
        return BenchmarkResult(symbol, *figures, self._curve_metrics(self._capital * growth))

    def _crypto_of(self, legs: NDArray[np.int64]) -> NDArray[np.int64]:
        return legs // len(self._portfolio.strategies)

    def _crypto_results(self) -> tuple[CryptoResult, ...]:
        account, count = self._account, len(self._cryptos)
        traded_by, profits = self._crypto_of(account.legs), account.trades["profit"]
        contributions = np.bincount(traded_by, profits, count)
        closed = np.bincount(traded_by, account.trades["reason"] != ExitReason.NOT_CLOSED, count)
        trades = np.bincount(traded_by, minlength=count)
        turnovers = account.traded.reshape(count, -1).sum(axis=1)
        skipped = account.skipped.reshape(count, -1, account.skipped.shape[1]).sum(axis=1)
        return tuple(
            CryptoResult(
                symbol=crypto.symbol,
                contribution=float(contributions[number]),
                turnover=float(turnovers[number]),
                trade_count=int(closed[number]),
                open_trade_count=int(trades[number] - closed[number]),
                skipped=tuple(skipped[number].tolist()),
            )
            for number, crypto in enumerate(self._cryptos)
        )

    def _trades(self) -> tuple[PortfolioTrade, ...]:
        account, strategies = self._account, len(self._portfolio.strategies)
        found: list[PortfolioTrade | None] = [None] * len(account.legs)
        traded_by = self._crypto_of(account.legs)
        for number in np.unique(traded_by).tolist():
            crypto, places = self._cryptos[number], np.flatnonzero(traded_by == number)
            records = trade_records(crypto.candles, account.trades[places], self._portfolio.execution)
            for place, record in zip(places.tolist(), records, strict=True):
                strategy = int(account.legs[place]) % strategies
                found[place] = PortfolioTrade(crypto.symbol, strategy, record)
        return tuple(trade for trade in found if trade is not None)

    def _curve(self, hold: PriceColumn) -> PortfolioCurve:
        account = self._account
        curve = equity_curve(self._times, account.equity, self._capital, self._portfolio.curve_points)
        points = np.searchsorted(self._times, curve.open_time_s)
        return PortfolioCurve(
            curve.open_time_s,
            curve.equity,
            curve.drawdown,
            account.cash[points],
            account.exposure[points],
            account.positions[points],
            hold[points],
        )
