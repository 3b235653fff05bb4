"""A portfolio in compute: the signals of every crypto, then one call that trades them."""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from backcast.backtest.v1.portfolio_pb2 import PortfolioResult
from backcast.compute.v1.computed_result_pb2 import ComputedResult
from backcast_engine import Distance, Execution, Window
from backcast_engine.errors import ErrorReason, Refused
from backcast_engine.history import History
from backcast_engine.interval import Interval
from backcast_engine.portfolio import (
    Portfolio,
    Rebalancing,
    WeightedStrategy,
    crypto_orders,
    run_portfolio,
)
from backcast_engine.rules.nodes import CLOSE, call
from backcast_engine.rules.parse import parse
from backcast_engine.strategies.custom_rules import CustomRules
from backcast_engine.strategies.rsi import Rsi
from services.compute.candles.location import DataVersion
from services.compute.messages.portfolios import portfolio_failure
from services.compute.tasks.portfolio.account import AccountCall, traded_account
from services.compute.tasks.portfolio.run import SignalsFailed, TradedPortfolio, portfolio_outcomes
from services.compute.tasks.runner import TaskRunner
from services.domain.errors import Unavailable
from services.wire.portfolio_results import portfolio_result_message
from tests.candle_making import START_S, random_candles
from tests.compute.supply import Supply, cryptos

COUNT = 4
PORTFOLIO = Portfolio(
    strategies=(WeightedStrategy(Rsi(7, 40.0, 60.0)),),
    interval=Interval.HOUR_1,
    window=Window(START_S, START_S + 1000 * 3600),
    execution=Execution(),
    max_positions=2,
)


@dataclass
class HereAndNow:
    """Workers that compute in this process, after `before_account` has been called."""

    before_account: Callable[[AccountCall], None] = lambda _: None
    accounts: int = field(default=0, init=False)
    batch_s: float = field(default=0.1, init=False)

    async def capacity(self) -> int:
        return 1

    def submit(self, fn: Callable[[Any], Any], argument: Any, /) -> "Future[Any]":
        future: Future[Any] = Future()
        if fn is traded_account:
            self.accounts += 1
            self.before_account(argument)
        try:
            future.set_result(fn(argument))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def supply(tmp_path: Path) -> Supply:
    return Supply(tmp_path / "columns", cryptos(COUNT))


async def outcomes_of(workers: HereAndNow, supply: Supply) -> list[int | TradedPortfolio]:
    outcomes = portfolio_outcomes(TaskRunner(workers, supply), cryptos(COUNT), [PORTFOLIO])
    async with aclosing(outcomes):
        return [outcome async for outcome in outcomes]


def message_of(traded: int | TradedPortfolio) -> PortfolioResult:
    assert isinstance(traded, TradedPortfolio)
    assert isinstance(traded.result, list)
    parts = [part for each in traded.result for part in ComputedResult.FromString(each).parts]
    return PortfolioResult.FromString(b"".join(parts))


def expected(supply: Supply, portfolio: Portfolio = PORTFOLIO) -> PortfolioResult:
    orders = [
        crypto_orders(data.symbol, History(candles), portfolio) for data, candles in supply.candles.items()
    ]
    return portfolio_result_message(run_portfolio(orders, portfolio))


async def test_the_result_comes_after_the_signals_of_all_cryptos(supply: Supply) -> None:
    *progress, traded = await outcomes_of(HereAndNow(), supply)
    assert progress[-1] == COUNT
    assert progress == sorted(progress, key=lambda count: count if isinstance(count, int) else 0)
    assert message_of(traded) == expected(supply)


SEVERAL = [
    PORTFOLIO,
    replace(PORTFOLIO, max_positions=3, execution=Execution(stop_loss=Distance(fraction=0.01))),
    replace(PORTFOLIO, strategies=(WeightedStrategy(Rsi(9)),)),
    replace(PORTFOLIO, rank=call("roc", CLOSE, 24), rebalancing=Rebalancing(7)),
]


async def test_several_portfolios_have_the_results_that_each_has_alone(supply: Supply) -> None:
    workers = HereAndNow()
    outcomes = portfolio_outcomes(TaskRunner(workers, supply), cryptos(COUNT), SEVERAL)
    async with aclosing(outcomes):
        *_, first, second, third, fourth = [outcome async for outcome in outcomes]
    for number, (outcome, portfolio) in enumerate(zip((first, second, third, fourth), SEVERAL, strict=True)):
        assert isinstance(outcome, TradedPortfolio)
        assert outcome.number == number
        assert message_of(outcome) == expected(supply, portfolio)
    assert workers.accounts == 4


async def test_a_portfolio_that_fails_leaves_the_others_alone(supply: Supply) -> None:
    there = random_candles(7, 1_000, START_S + 3600 * 2_000)
    supply.candles |= dict.fromkeys(cryptos(COUNT)[2:], there)
    outcomes = portfolio_outcomes(TaskRunner(HereAndNow(), supply), cryptos(COUNT), SEVERAL)
    async with aclosing(outcomes):
        traded = {each.number: each.result async for each in outcomes if isinstance(each, TradedPortfolio)}
    assert [number for number, result in traded.items() if isinstance(result, Refused)] == [1]
    assert len(traded) == 4


async def test_candles_that_are_replaced_between_two_accounts_are_read_again(supply: Supply) -> None:
    def replaced(call: AccountCall) -> None:
        if workers.accounts == 2:
            Path(call.cryptos[1].location.path).unlink()  # type: ignore[attr-defined]  # that of a file

    workers = HereAndNow(replaced)
    outcomes = portfolio_outcomes(TaskRunner(workers, supply), cryptos(COUNT), SEVERAL)
    async with aclosing(outcomes):
        traded = [each async for each in outcomes if isinstance(each, TradedPortfolio)]
    # The first one is not traded again.
    assert (workers.accounts, [each.number for each in traded]) == (5, [0, 1, 2, 3])
    for outcome, portfolio in zip(traded, SEVERAL, strict=True):
        assert message_of(outcome) == expected(supply, portfolio)


async def test_candles_that_are_replaced_before_the_account_are_read_again(supply: Supply) -> None:
    def replaced(call: AccountCall) -> None:
        if workers.accounts == 1:
            Path(call.cryptos[1].location.path).unlink()  # type: ignore[attr-defined]  # that of a file

    workers = HereAndNow(replaced)
    outcomes = await outcomes_of(workers, supply)
    assert workers.accounts == 2
    assert message_of(outcomes[-1]) == expected(supply)


async def test_candles_that_are_replaced_again_and_again_make_the_portfolio_fail(supply: Supply) -> None:
    def replaced(call: AccountCall) -> None:
        Path(call.cryptos[1].location.path).unlink()  # type: ignore[attr-defined]  # that of a file

    workers = HereAndNow(replaced)
    with pytest.raises(Unavailable) as caught:
        await outcomes_of(workers, supply)
    assert (caught.value.reason, workers.accounts) == (ErrorReason.CANDLES_CHANGING, 3)


async def test_strategies_see_other_cryptos_whose_versions_are_returned(supply: Supply) -> None:
    # One is traded, too.
    others = (cryptos(COUNT)[1], cryptos(COUNT + 1)[COUNT])
    supply.candles[others[1]] = random_candles(77, 1_000)
    rules = parse(
        f"close > sma(9) and roc(5)@{others[0].symbol} > 0 and rsi(5)@{others[1].symbol} > 40", "entry"
    )
    portfolio = replace(PORTFOLIO, strategies=(WeightedStrategy(CustomRules(rules)),))
    outcomes = portfolio_outcomes(TaskRunner(HereAndNow(), supply), cryptos(COUNT), [portfolio], others)
    async with aclosing(outcomes):
        *_, outcome = [outcome async for outcome in outcomes]
    seen = {data.symbol: History(supply.candles[data]) for data in others}
    orders = [
        crypto_orders(data.symbol, History(supply.candles[data], others=seen), portfolio)
        for data in cryptos(COUNT)
    ]
    assert message_of(outcome) == portfolio_result_message(run_portfolio(orders, portfolio))
    assert isinstance(outcome, TradedPortfolio)
    assert {*outcome.cryptos} == {*cryptos(COUNT), others[1]}


async def test_a_crypto_that_is_read_in_two_versions_makes_no_portfolio(supply: Supply) -> None:
    newer = DataVersion(cryptos(COUNT)[1].symbol, "newer")
    supply.candles[newer] = random_candles(78, 1_000)
    portfolio = replace(
        PORTFOLIO,
        strategies=(WeightedStrategy(CustomRules(parse(f"close > close@{newer.symbol}", "entry"))),),
    )
    outcomes = portfolio_outcomes(TaskRunner(HereAndNow(), supply), cryptos(COUNT), [portfolio], (newer,))
    with pytest.raises(Unavailable) as caught:
        async with aclosing(outcomes):
            _ = [outcome async for outcome in outcomes]
    assert caught.value.reason is ErrorReason.CANDLES_CHANGING


async def test_a_crypto_whose_candles_cannot_be_read_fails_the_portfolio_by_its_name(supply: Supply) -> None:
    supply.errors[cryptos(COUNT)[2]] = Unavailable("the data service does not answer")
    workers = HereAndNow()
    with pytest.raises(SignalsFailed) as caught:
        await outcomes_of(workers, supply)
    assert workers.accounts == 0
    failure = portfolio_failure(caught.value).failure
    assert failure.message == "C2USDT: the data service does not answer"


async def test_more_places_than_cryptos_with_candles_are_refused(supply: Supply) -> None:
    call = AccountCall(PORTFOLIO, [], ["C0USDT"])

    def cut(account: AccountCall) -> None:
        nonlocal call
        call = AccountCall(PORTFOLIO, account.cryptos[:1], ["C1USDT", "C2USDT", "C3USDT"])

    await outcomes_of(HereAndNow(cut), supply)
    with pytest.raises(Refused, match="there are 2 places, and only 1 of 4 cryptos have candles"):
        traded_account(call)
