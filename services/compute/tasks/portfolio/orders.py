"""The orders of one crypto as a worker returns them: packed, without the candles, which every worker maps.

The worker processes import this: nothing here may import grpc.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backcast_engine import Direction, Distance, Execution, VolatilityTarget
from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.history import History
from backcast_engine.portfolio import (
    CryptoOrders,
    Portfolio,
    Rebalancing,
    WeightedStrategy,
    orders_of_several,
)
from backcast_engine.simulation import NO_COLUMN
from backcast_engine.strategies import Signals
from backcast_engine.traded_window import TradedWindow, WindowOrders
from services.compute.candles.location import DataVersion
from services.compute.tasks.batch import Task
from services.compute.tasks.jobs import ComputeJob


@dataclass(frozen=True, slots=True)
class PackedOrders:
    """Signals and measures of a crypto at the candles of a portfolio's window, as bytes.

    `signals` are bits: buy and sell of each strategy, one after the other. `measures` are float64: the rank,
    the average true range and the volatility of each strategy, as far as there are any, at those candles
    where the account may read them.
    """

    symbol: str
    candle_count: int
    signals: bytes
    measures: bytes


def orders_job(
    cryptos: list[DataVersion],
    portfolios: Sequence[Portfolio],
    asked: Sequence[Portfolio],
    others: tuple[DataVersion, ...] = (),
) -> ComputeJob:
    """Return the job of portfolios' signals: one task a crypto, whose result are the PackedOrders of each.

    Its candles have the columns that the accounts of the portfolios `asked` read, too. The strategies and the
    rank look at the cryptos `others`.
    """
    read = {name for portfolio in asked for name in portfolio.columns}
    columns = tuple(name for name in VALUE_COLUMNS if name in read)
    since_s = min(portfolio.since_s for portfolio in asked)
    distinct = tuple(portfolios)

    def tasks_of(data: DataVersion) -> list[Task]:
        return [Task(packed_orders, (data.symbol, distinct))]

    return ComputeJob(cryptos, asked[0].interval, columns, tasks_of, since_s, others)


def signalling(portfolio: Portfolio) -> Portfolio:
    """Return a portfolio with the same orders, which has nothing else than what these depend on.

    Portfolios that only differ in places, weights or costs, say, have the same.
    """
    execution, target = portfolio.execution, portfolio.execution.volatility_target
    every_candle = portfolio.rebalancing is not None and target is not None
    return Portfolio(
        strategies=tuple(WeightedStrategy(each.strategy) for each in portfolio.strategies),
        interval=portfolio.interval,
        window=portfolio.window,
        execution=Execution(
            direction=execution.direction,
            break_rule=execution.break_rule,
            # Only the period decides what volatilities are.
            volatility_target=VolatilityTarget(1.0, target.period) if target else None,
            stop_loss=Distance(atr_multiple=1.0) if execution.needs_atr else None,
            atr_period=execution.atr_period if execution.needs_atr else Execution().atr_period,
        ),
        rank=portfolio.rank,
        rebalancing=Rebalancing(1) if every_candle else None,
    )


def packed_orders(history: History, argument: tuple[str, Sequence[Portfolio]]) -> list[PackedOrders]:
    """Evaluate portfolios' strategies and ranks on the history of a crypto, whose symbol comes first.

    Raises what `crypto_orders` raises.
    """
    symbol, portfolios = argument
    several = orders_of_several(symbol, history, portfolios)
    return [_packed(orders, portfolio) for orders, portfolio in zip(several, portfolios, strict=True)]


def _packed(orders: CryptoOrders, portfolio: Portfolio) -> PackedOrders:
    flags = np.stack([flag for each in orders.orders for flag in (each.signals.buy, each.signals.sell)])
    columns = [orders.rank, *(each.atr for each in orders.orders)]
    columns += [each.volatility for each in orders.orders]
    measures = np.array([column for column in columns if len(column)], np.float64)
    if len(measures):
        measures = measures[:, _read_at(flags, portfolio)]
    return PackedOrders(orders.symbol, len(orders.candles), np.packbits(flags).tobytes(), measures.tobytes())


def unpacked_orders(packed: PackedOrders, history: History, portfolio: Portfolio) -> CryptoOrders:
    """Return the orders that were packed; `history` is the one that they were computed from.

    Measures that the account never reads are NaN.
    """
    traded = TradedWindow(history, portfolio.interval, portfolio.window, portfolio.execution)
    count, strategies = packed.candle_count, len(portfolio.strategies)
    bits = np.unpackbits(np.frombuffer(packed.signals, np.uint8), count=2 * strategies * count)
    flags = bits.view(np.bool_).reshape(2 * strategies, count)
    execution = portfolio.execution
    rows = {
        "rank": int(portfolio.rank is not None),
        "atr": strategies * execution.needs_atr,
        "volatility": strategies * (execution.volatility_target is not None),
    }
    measures = np.full((sum(rows.values()), count), np.nan)
    if len(measures):
        values = np.frombuffer(packed.measures, np.float64).reshape(len(measures), -1)
        measures[:, _read_at(flags, portfolio)] = values
    rank, atr, volatility = np.split(measures, np.cumsum(list(rows.values()))[:-1])
    return CryptoOrders(
        packed.symbol,
        traded.candles,
        tuple(traded.part_ends),
        tuple(
            WindowOrders(
                Signals(flags[2 * number], flags[2 * number + 1]),
                atr[number] if len(atr) else NO_COLUMN,
                volatility[number] if len(volatility) else NO_COLUMN,
            )
            for number in range(strategies)
        ),
        rank[0] if len(rank) else NO_COLUMN,
    )


def _read_at(flags: NDArray[np.bool_], portfolio: Portfolio) -> NDArray[np.bool_]:
    """Return at which candles the account may read a measure: where a signal may open a position.

    Rebalancing reads the volatility of every candle.
    """
    if portfolio.rebalancing and portfolio.execution.volatility_target:
        return np.ones(flags.shape[1], np.bool_)
    opening = {
        Direction.LONG_ONLY: flags[::2],
        Direction.SHORT_ONLY: flags[1::2],
        Direction.LONG_SHORT: flags,
    }
    # NumPy's stubs do not know which type `any` has.
    return np.asarray(opening[portfolio.execution.direction].any(axis=0))
