"""Runs portfolios: the signals of all cryptos, task by task, then each portfolio's call that trades them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from backcast_engine.errors import BackcastError, ErrorReason
from backcast_engine.portfolio import Portfolio
from services.compute.candles.location import CandleLocation, DataVersion
from services.compute.tasks.portfolio.account import AccountCall, OrderedCrypto, traded_account
from services.compute.tasks.portfolio.orders import PackedOrders, orders_job, signalling
from services.compute.tasks.runner import TaskOutcome, TaskRunner
from services.domain.errors import Unavailable

# How often in a row candles may be replaced between the signals and the account.
_MOST_TRIES = 3


class SignalsFailed(Exception):
    """The signals of a crypto cannot be computed, so that there is no portfolio."""

    def __init__(self, symbol: str, error: BackcastError) -> None:
        super().__init__(symbol)
        self.symbol = symbol
        self.error = error


@dataclass(frozen=True, slots=True)
class TradedPortfolio:
    """The outcome of the portfolio of a number, and the data that it was computed from.

    `result` are the parts of its result (see `traded_account`), or why there is none.
    """

    number: int
    result: list[bytes] | BackcastError
    cryptos: list[DataVersion]


async def portfolio_outcomes(
    runner: TaskRunner,
    cryptos: list[DataVersion],
    portfolios: Sequence[Portfolio],
    others: tuple[DataVersion, ...] = (),
) -> AsyncGenerator[int | TradedPortfolio]:
    """Yield how many cryptos have their signals, whenever there are more, and then each portfolio's outcome.

    All portfolios have the same interval, window and rule for breaks. Their strategies and ranks look at the
    cryptos `others`. Closing the iterator cancels what is under way. Raises SignalsFailed, and Unavailable
    where the candles change again and again.
    """
    missing = dict(enumerate(portfolios))
    for _ in range(_MOST_TRIES):
        try:
            async with aclosing(_tried(runner, cryptos, missing, others)) as steps:
                async for step in steps:
                    if isinstance(step, TradedPortfolio):
                        del missing[step.number]
                    yield step
        except FileNotFoundError:
            continue
        return
    raise Unavailable(
        "the candles change faster than they can be read: try again", reason=ErrorReason.CANDLES_CHANGING
    )


async def _tried(
    runner: TaskRunner,
    cryptos: list[DataVersion],
    portfolios: Mapping[int, Portfolio],
    others: tuple[DataVersion, ...],
) -> AsyncGenerator[int | TradedPortfolio]:
    """Yield what `portfolio_outcomes` does; raise FileNotFoundError where candles were replaced meanwhile."""
    asked = dict(portfolios)
    signals = {number: signalling(portfolio) for number, portfolio in asked.items()}
    distinct = {portfolio: place for place, portfolio in enumerate(dict.fromkeys(signals.values()))}
    gathered = _Gathered()
    job = orders_job(cryptos, [*distinct], [*asked.values()], others)
    async with aclosing(runner.run(job)) as lists:
        async for outcomes in lists:
            for outcome in outcomes:
                gathered.take(outcome)
            yield gathered.count
            # As long as the job is not over, its candles stay where they are.
            if gathered.count == len(cryptos):
                calls = (
                    gathered.call(portfolio, distinct[signals[number]]) for number, portfolio in asked.items()
                )
                async with aclosing(runner.calls(traded_account, calls)) as results:
                    async for place, result in results:
                        yield TradedPortfolio([*asked][place], result, [*gathered.read.values()])


@dataclass(slots=True)
class _Gathered:
    """The cryptos whose signals are computed: where their candles are, and the orders of each portfolio."""

    ordered: list[tuple[CandleLocation, DataVersion, list[PackedOrders]]] = field(default_factory=list)
    without_candles: list[str] = field(default_factory=list)
    # The data of these, and of other cryptos that they look at, by symbol.
    read: dict[str, DataVersion] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many cryptos there are."""
        return len(self.ordered) + len(self.without_candles)

    def take(self, outcome: TaskOutcome) -> None:
        """Take in the outcome of a crypto; raise SignalsFailed where it failed.

        Raises FileNotFoundError where a crypto was read in two versions: as what is traded, and as what
        another one looks at, say.
        """
        data, result = outcome.data, outcome.result
        if isinstance(result, BackcastError):
            if result.reason is not ErrorReason.NO_CANDLES_IN_WINDOW:
                raise SignalsFailed(data.symbol, result)
            self.without_candles.append(data.symbol)
        else:
            assert outcome.location
            self.ordered.append((outcome.location, data, result))
        for each in (data, *outcome.others):
            if self.read.setdefault(each.symbol, each) != each:
                raise FileNotFoundError(each.symbol)

    def call(self, portfolio: Portfolio, place: int) -> AccountCall:
        """Return the call that trades a portfolio, whose orders are at a place among those of each crypto."""
        cryptos = [OrderedCrypto(location, data, orders[place]) for location, data, orders in self.ordered]
        return AccountCall(portfolio, cryptos, self.without_candles)
