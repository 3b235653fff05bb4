"""`python -m tests.bench.portfolio`: one account of 211 cryptos, next to its signals and to vectorbt.

Timings are never tests: they depend on the machine, and on what else it does.
"""

import argparse
import asyncio
import time
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from backcast_engine import Detail, Execution
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.portfolio import (
    CryptoOrders,
    Portfolio,
    PortfolioSize,
    WeightedStrategy,
    crypto_orders,
    run_portfolio,
)
from backcast_engine.portfolio.market import traded
from backcast_engine.portfolio.timeline import Timeline
from backcast_engine.rules.nodes import CLOSE, call
from backcast_engine.strategies.rsi import Rsi
from services.cli.views.console import make_console, say
from services.local.interrupts import Interrupts
from tests.bench.engine.markets import CRYPTO_COUNT, YEAR_WINDOW, year_market
from tests.bench.engine.ours import timed_market
from tests.bench.engine.sampling import ratio, sampled, totals
from tests.bench.engine.section import Goal, Row, Section
from tests.bench.machine import machine_lines
from tests.bench.timing import Measure, Timing

_ROUNDS = 7
_FASTER = 20
# What rounding makes of thousands of fills.
_TOLERANCE = 1e-9
TEN_PLACES = Portfolio(
    (WeightedStrategy(Rsi()),),
    Interval.HOUR_1,
    YEAR_WINDOW,
    Execution(),
    max_positions=10,
    rank=call("roc", CLOSE, 168),
)
# As many positions as a tenth of the capital each can buy: that is what vectorbt can do.
NO_PLACES = replace(
    TEN_PLACES,
    execution=Execution(quote_amount=1_000.0),
    max_positions=CRYPTO_COUNT,
    rank=None,
    size=PortfolioSize.EXECUTION,
)


async def bench(rounds: int, console: Console) -> None:
    """Measure `rounds` rounds, after one that warms everything up, and print them."""
    with Interrupts():
        candles = year_market(console)
        histories = [(f"SYN{number:03}USDT", History(each)) for number, each in enumerate(candles, 1)]

        def orders(portfolio: Portfolio) -> list[CryptoOrders]:
            return [crypto_orders(symbol, history, portfolio) for symbol, history in histories]

        ranked, plain = orders(TEN_PLACES), orders(NO_PLACES)
        measures: dict[str, Measure] = {
            "runs": _timed(lambda: timed_market(candles, Rsi(), YEAR_WINDOW)),
            "orders": _timed(lambda: orders(TEN_PLACES)),
            "pass": _timed(lambda: _passed(ranked, TEN_PLACES)),
            "portfolio": _timed(lambda: run_portfolio(ranked, TEN_PLACES)),
            "same": _timed(lambda: _passed(plain, NO_PLACES)),
        }
        peer = _peer(console)
        notes = []
        if peer:
            columns = peer.columns_of(plain, _sold(plain))
            measures["peer"] = _timed(lambda: peer.equity(columns, NO_PLACES.execution))
            notes.append(_agreement(peer, plain, columns))
        samples = await sampled(measures, rounds, "one account", console)
        took = {name: totals(timings) for name, timings in samples.items()}
        whole = [one + other for one, other in zip(took["orders"], took["portfolio"], strict=True)]
        rows = [
            Row("floor: plain runs, one backtest a crypto, one core", took["runs"]),
            Row("signals and ranks of all cryptos", took["orders"], took["runs"]),
            Row("the pass: 10 places, ranked, equal shares", took["pass"], took["runs"]),
            Row("run_portfolio: the pass and all figures", took["portfolio"], took["runs"]),
            Row("signals, pass and figures", whole, took["runs"]),
            Row("the pass: a tenth of the capital each", took["same"], took["runs"]),
        ]
        goals = [
            Goal(
                "at most 2 × the plain runs",
                ratio(whole, took["runs"]) <= 2,
                f"{ratio(whole, took['runs']):.2f} ×",
            )
        ]
        if peer:
            rows.append(Row(f"{peer.NAME}: the same", took["peer"], took["runs"], took["same"]))
        faster = ratio(took["peer"], took["same"]) if peer else None
        goals.append(
            Goal(
                f"at least {_FASTER} × vectorbt",
                None if faster is None else faster >= _FASTER,
                "" if faster is None else f"{faster:.1f} ×",
            )
        )
        title = f"one account: RSI, {len(candles)} cryptos × {len(candles[0]):,} hourly candles, in process"
        Section(title, rows, goals, notes).print(console)
        say(console, "\n".join(machine_lines()))


def _timed(work) -> Measure:  # type: ignore[no-untyped-def]  # anything that can be called
    async def measure(_: int) -> Timing:
        # What it takes of the processor, and not what others leave of it.
        began = time.process_time()
        work()
        return Timing(time.process_time() - began)

    return measure


def _passed(cryptos: list[CryptoOrders], portfolio: Portfolio) -> None:
    traded(cryptos, portfolio, Timeline.of([each.candles.open_time_s for each in cryptos]))


def _peer(console: Console) -> ModuleType | None:
    try:
        return import_module("tests.bench.portfolio.vectorbt_account")
    # Whatever it is: a package that does not fit the others fails in ways of its own.
    except Exception as error:
        say(console, f"[bold red]NOT MEASURED: vectorbt[/bold red] cannot be imported: {error!r}.")
        return None


def _sold(cryptos: list[CryptoOrders]) -> NDArray[np.bool_]:
    """Return at which opens a crypto is sold: shape (candles, cryptos)."""
    sold = np.zeros((len(cryptos[0].candles), len(cryptos)), np.bool_)
    columns = {crypto.symbol: column for column, crypto in enumerate(cryptos)}
    for each in run_portfolio(cryptos, replace(NO_PLACES, detail=Detail.TRADES)).trades:
        if each.trade.exit_time_s is not None:
            row = np.searchsorted(cryptos[0].candles.open_time_s, each.trade.exit_time_s)
            sold[row, columns[each.symbol]] = True
    return sold


def _agreement(peer: ModuleType, cryptos: list[CryptoOrders], columns: dict[str, Any]) -> str:
    """Say how far the equity of both is apart, where the semantics are the same."""
    result = run_portfolio(cryptos, replace(NO_PLACES, detail=Detail.EQUITY))
    assert result.curve is not None
    theirs = peer.equity(columns, NO_PLACES.execution)
    apart = float(np.max(np.abs(theirs / result.curve.equity - 1)))
    trades = f"{result.metrics.trade_count:,.0f} trades, total return {result.metrics.total_return:+.6%}"
    if apart > _TOLERANCE:
        return f"the same equity as {peer.NAME} ({trades})? [bold red]NO, {apart:.1g} apart[/bold red]"
    return (
        f"the same equity as {peer.NAME} ({trades})? yes, at most {apart:.0e} apart at {len(theirs):,} closes"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.portfolio", description=__doc__)
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"how many rounds; default {_ROUNDS}")
    asyncio.run(bench(parser.parse_args().rounds, make_console()))
