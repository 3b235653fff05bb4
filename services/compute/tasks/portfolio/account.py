"""The account of a portfolio: a worker's call that trades the orders of all cryptos.

The worker processes import this: nothing here may import grpc.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast_engine import ENGINE_VERSION
from backcast_engine.errors import ErrorReason, Refused
from backcast_engine.portfolio import CryptoOrders, Portfolio, run_portfolio
from services.compute.candles.location import CandleLocation, DataVersion
from services.compute.tasks.batch import check_engine
from services.compute.tasks.portfolio.orders import PackedOrders, unpacked_orders
from services.wire.portfolio_results import portfolio_result_parts
from services.wire.results import packed_metrics


@dataclass(frozen=True)
class OrderedCrypto:
    """The orders of a crypto, and the candles that they were computed from."""

    location: CandleLocation
    data: DataVersion
    orders: PackedOrders


@dataclass(frozen=True)
class AccountCall:
    """A portfolio and its cryptos, besides those without a candle in the window."""

    portfolio: Portfolio
    cryptos: list[OrderedCrypto]
    without_candles: list[str]
    engine_version: str = ENGINE_VERSION


def traded_account(call: AccountCall) -> list[bytes]:
    """Return the ComputedResult of a portfolio, serialized, without fingerprint; several for a long result.

    Merged in order, they are the whole. Raises FileNotFoundError where the candles of a crypto are not there
    any more, or are other ones; Refused where fewer cryptos than places have candles; and what
    `run_portfolio` raises.
    """
    check_engine(call.engine_version)
    portfolio, count = call.portfolio, len(call.cryptos)
    if call.cryptos and portfolio.max_positions > count:
        raise Refused(
            f"there are {portfolio.max_positions} places, and only {count} of "
            f"{count + len(call.without_candles)} cryptos have candles in the window",
            reason=ErrorReason.NO_CANDLES_IN_WINDOW,
        )
    if portfolio.benchmark in call.without_candles:
        portfolio = replace(portfolio, benchmark=None)
    result = run_portfolio(_orders(call), portfolio)
    parts = portfolio_result_parts(result, sorted(call.without_candles))
    computed = [ComputedResult(parts=[part.SerializeToString()]) for part in parts]
    computed[0].metrics = packed_metrics(result.metrics)
    return [each.SerializeToString() for each in computed]


def _orders(call: AccountCall) -> Iterator[CryptoOrders]:
    for each in call.cryptos:
        data, history = each.location.load()
        if data != each.data:
            raise FileNotFoundError(data.symbol)
        yield unpacked_orders(each.orders, history, call.portfolio)
