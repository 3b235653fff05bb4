"""Plans of portfolios: defaults, limits, and keys that depend on everything that a result depends on."""

from dataclasses import replace
from typing import Any

import pytest

from backcast_engine import Detail, Execution, Window
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from backcast_engine.portfolio import PortfolioSize, Rebalancing, WeightedStrategy
from backcast_engine.rules import Expression, On, OtherCandles
from backcast_engine.rules.nodes import CLOSE, call
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.strategies.rsi import Rsi
from services.domain.errors import TooLarge
from services.gateway.cache.keys import PortfolioKeys
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.portfolio_plan import (
    MAX_CANDLES,
    PortfolioPlan,
    PortfolioRequest,
    make_portfolio_plan,
)
from services.gateway.planning.run_plan import CacheMode, RunRequest
from tests.candle_making import START_S

DAY_S = 86_400
END_S = START_S + 100 * DAY_S
RUN = RunRequest(
    *({}, {}, BuyAndHold(), Interval.HOUR_1, None, None, Execution()),
    *(Detail.METRICS, 0, CacheMode.DEFAULT),
)
REQUEST = PortfolioRequest(
    run=RUN,
    strategies=(WeightedStrategy(Rsi()),),
    max_positions=None,
    rank=None,
    size=None,
    rebalancing=None,
    benchmark="",
)


def known(*symbols: str) -> list[CryptoData]:
    return [CryptoData(symbol, "f", START_S - 1000 * DAY_S, END_S - 3600, "seen") for symbol in symbols]


def planned(*symbols: str, run: dict[str, Any] | None = None, **fields: Any) -> PortfolioPlan:
    request = replace(REQUEST, run=replace(RUN, **(run or {})), **fields)
    cryptos = known(*(symbols or [f"C{number:02}" for number in range(20)]))
    return make_portfolio_plan(request, cryptos, END_S + DAY_S)


def test_a_request_that_leaves_everything_out_gets_the_defaults() -> None:
    portfolio = planned().portfolio
    assert (portfolio.max_positions, portfolio.size, portfolio.benchmark) == (10, PortfolioSize.EQUAL, None)
    assert portfolio.window == Window(END_S - 365 * DAY_S, END_S)


def test_few_cryptos_have_as_many_places_by_default() -> None:
    assert planned("B", "A").portfolio.max_positions == 2
    assert [crypto.symbol for crypto in planned("B", "A").cryptos] == ["A", "B"]


def test_bitcoin_is_the_default_benchmark_where_it_is_there() -> None:
    assert planned("AUSDT", "BTCUSDT").portfolio.benchmark == "BTCUSDT"
    assert planned("AUSDT", "BTCUSDT", benchmark="AUSDT").portfolio.benchmark == "AUSDT"


@pytest.mark.parametrize("execution", [Execution(equity_fraction=0.5), Execution(quote_amount=10.0)])
def test_a_size_of_the_execution_is_that_of_the_positions(execution: Execution) -> None:
    portfolio = planned(run={"execution": execution}).portfolio
    assert portfolio.size is PortfolioSize.EXECUTION
    with pytest.raises(InvalidInput, match="size: is an equal share, but the execution has a size too"):
        planned(run={"execution": execution}, size=PortfolioSize.EQUAL)


def test_cryptos_that_are_left_out_do_not_count() -> None:
    symbols = {"AUSDT": "symbols[0]", "BUSDT": "symbols[1]"}
    run = {"symbols": symbols, "exclude": {"BUSDT": "exclude[0]"}}
    with pytest.raises(InvalidInput, match="max_positions: must be from 1 to 1, the number of cryptos"):
        planned("AUSDT", "BUSDT", run=run, max_positions=2)


def test_a_portfolio_has_so_many_candles_at_most() -> None:
    hours = MAX_CANDLES // 20
    window = {"start_s": END_S - 3600 * hours, "end_s": END_S}
    assert planned(run=window).backtests == 20
    with pytest.raises(TooLarge, match="start_time: 20 cryptos × 1 strategies × 1,000,001 candles"):
        planned(run={**window, "start_s": window["start_s"] - 3600})


def on_bitcoin(part: Expression) -> On:
    return On(part, OtherCandles("BTCUSDT"))


KEYS: list[dict[str, Any]] = [
    {},
    {"strategies": (WeightedStrategy(Rsi(7)),)},
    {"strategies": (WeightedStrategy(Rsi(), 0.5), WeightedStrategy(BuyAndHold(), 0.5))},
    {"strategies": (WeightedStrategy(Rsi(), 0.25), WeightedStrategy(BuyAndHold(), 0.75))},
    {"strategies": (WeightedStrategy(BuyAndHold(), 0.5), WeightedStrategy(Rsi(), 0.5))},
    {"max_positions": 9},
    {"rank": call("roc", CLOSE, 24)},
    {"rank": call("roc", CLOSE, 25)},
    {"rank": On(call("roc", CLOSE, 25), OtherCandles("C19"))},
    {"rank": On(call("roc", CLOSE, 25), OtherCandles("C18"))},
    {"size": PortfolioSize.EXECUTION},
    {"rebalancing": Rebalancing(24)},
    {"rebalancing": Rebalancing(24, 0.1)},
    {"benchmark": "C03"},
    {"run": {"interval": Interval.HOUR_4}},
    {"run": {"end_s": END_S - DAY_S}},
    {"run": {"start_s": END_S - DAY_S}},
    {"run": {"execution": Execution(fee_rate=0.0)}},
    {"run": {"detail": Detail.TRADES}},
    {"run": {"detail": Detail.EQUITY}},
    {"run": {"detail": Detail.EQUITY, "curve_points": 10}},
    {"run": {"exclude": {"C05": "exclude[0]"}}},
]


def key_of(plan: PortfolioPlan, **other_fingerprints: str) -> str:
    seen = {crypto.symbol: crypto.seen_fingerprint for crypto in plan.cryptos}
    return PortfolioKeys(plan.run, plan.cryptos).key(plan.portfolio, {**seen, **other_fingerprints})


def test_a_key_depends_on_everything_that_a_result_depends_on() -> None:
    keys = [key_of(planned(**fields)) for fields in KEYS] + [key_of(planned(), C07="other")]
    assert len(set(keys)) == len(keys)


def test_a_key_depends_on_the_data_of_a_crypto_that_is_only_looked_at() -> None:
    run = {"symbols": {"C00": "symbols[0]", "C01": "symbols[1]"}}
    looking = replace(REQUEST, run=replace(RUN, **run), rank=on_bitcoin(call("roc", CLOSE, 24)))
    assert looking.planned_run.listed_symbols == ["C00", "C01", "BTCUSDT"]
    plan = make_portfolio_plan(looking, known(*looking.planned_run.listed_symbols), END_S + DAY_S)
    assert [crypto.symbol for crypto in plan.cryptos] == ["C00", "C01"]
    keys = [
        PortfolioKeys(plan.run, plan.cryptos).key(plan.portfolio, seen)
        for seen in ({}, {"BTCUSDT": "f"}, {"BTCUSDT": "newer"})
    ]
    assert keys[0] == keys[1] != keys[2]
    # Of a crypto that nobody looks at, nothing depends.
    plan = planned("C00", "C01")
    assert key_of(plan, BTCUSDT="newer") == key_of(plan)


def test_what_a_portfolio_cannot_look_at_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"rank\.symbol: there is no crypto 'BTCUSDT'"):
        planned("AUSDT", "BUSDT", rank=on_bitcoin(call("roc", CLOSE, 24)))
    looking = replace(REQUEST, rank=on_bitcoin(call("roc", CLOSE, 24)))
    ended = CryptoData("BTCUSDT", "f", START_S - 1000 * DAY_S, START_S - 900 * DAY_S, "seen")
    with pytest.raises(
        InvalidInput, match=r"rank\.symbol: BTCUSDT has candles .* none of which the window sees"
    ):
        make_portfolio_plan(looking, [*known("AUSDT"), ended], END_S + DAY_S)


def test_a_key_is_the_same_for_the_same_result() -> None:
    symbols = [f"C{number:02}" for number in range(20)]
    first = key_of(planned(*symbols))
    assert key_of(planned(*symbols[::-1])) == first
    assert key_of(planned(run={"curve_points": 10})) == first
    assert key_of(planned(run={"execution": Execution(allow_high_costs=True)})) == first
    assert key_of(planned(max_positions=10, size=PortfolioSize.EQUAL)) == first
