"""Runs a portfolio: the signals of all cryptos, task by task, then the call that trades them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from backcast_engine.errors import BackcastError, ErrorReason
from backcast_engine.portfolio import Portfolio
from services.compute.candles.location import DataVersion
from services.compute.tasks.jobs import Job
from services.compute.tasks.portfolio.account import AccountCall, OrderedCrypto, traded_account
from services.compute.tasks.portfolio.orders import orders_job
from services.compute.tasks.runner import Outcome, TaskRunner
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
    """The parts of a portfolio's result (see `traded_account`), and the data that it was computed from."""

    parts: list[bytes]
    cryptos: list[DataVersion]


async def portfolio_outcomes(
    runner: TaskRunner,
    cryptos: list[DataVersion],
    portfolio: Portfolio,
    others: tuple[DataVersion, ...] = (),
) -> AsyncGenerator[int | TradedPortfolio]:
    """Yield how many cryptos have their signals, whenever there are more, and last the result.

    The strategies and the rank look at the cryptos `others`. Closing the iterator cancels what is under way.
    Raises SignalsFailed; Unavailable where the candles change again and again; and the errors of
    `traded_account`.
    """
    for _ in range(_MOST_TRIES):
        try:
            async with aclosing(_tried(runner, orders_job(cryptos, portfolio, others), portfolio)) as steps:
                async for step in steps:
                    yield step
        except FileNotFoundError:
            continue
        return
    raise Unavailable(
        "the candles change faster than they can be read: try again", reason=ErrorReason.CANDLES_CHANGING
    )


async def _tried(runner: TaskRunner, job: Job, portfolio: Portfolio) -> AsyncGenerator[int | TradedPortfolio]:
    """Yield what `portfolio_outcomes` does; raise FileNotFoundError where candles were replaced meanwhile."""
    gathered = _Gathered()
    async with aclosing(runner.run(job)) as lists:
        async for outcomes in lists:
            for outcome in outcomes:
                gathered.take(outcome)
            yield gathered.count
            # As long as the job is not over, its candles stay where they are.
            if gathered.count == len(job.cryptos):
                call = AccountCall(portfolio, gathered.ordered, gathered.without_candles)
                parts = await runner.call(traded_account, call)
                yield TradedPortfolio(parts, [*gathered.read.values()])


@dataclass(slots=True)
class _Gathered:
    """The cryptos whose signals are computed."""

    ordered: list[OrderedCrypto] = field(default_factory=list)
    without_candles: list[str] = field(default_factory=list)
    # The data of these, and of other cryptos that they look at, by symbol.
    read: dict[str, DataVersion] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many cryptos there are."""
        return len(self.ordered) + len(self.without_candles)

    def take(self, outcome: Outcome) -> None:
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
            self.ordered.append(OrderedCrypto(outcome.location, data, result))
        for each in (data, *outcome.others):
            if self.read.setdefault(each.symbol, each) != each:
                raise FileNotFoundError(each.symbol)
