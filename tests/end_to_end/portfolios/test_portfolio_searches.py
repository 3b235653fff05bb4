"""Searches among the combinations of a sweep over portfolios: at random, or by what others have earned."""

import statistics
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from backcast.gateway.v1 import portfolio_sweep_pb2 as pb
from backcast.gateway.v1 import sweep_pb2
from backcast.gateway.v1.backtest_service_pb2 import CACHE_MODE_DEFAULT
from backcast_engine.candles import Candles
from services.rpc.status import violations_of
from tests.end_to_end.portfolios.accounts import costing
from tests.end_to_end.portfolios.sweeps import Swept, parameter, setting, sweep_request, swept

if TYPE_CHECKING:
    from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceAsyncStub

# 144,000 combinations.
MANY = {
    "ranges": [
        parameter("period", *range(2, 42)),
        parameter("oversold", *range(20, 50)),
        parameter("overbought", *range(51, 71)),
    ],
    "execution_ranges": [setting("stop_loss", {}, {"stop_loss": {"fraction": 0.05}})],
    "portfolio_ranges": [
        setting("max_positions", {"max_positions": 2}, {"max_positions": 5}, {"max_positions": 8})
    ],
}


def asked(method: str, count: int, seed: int = 3, **fields: Any) -> pb.SweepPortfoliosRequest:
    number = sweep_pb2.SearchMethod.Value(f"SEARCH_METHOD_{method}")
    search = sweep_pb2.SweepSearch(method=number, combination_count=count, seed=seed)
    return sweep_request(**{**MANY, "search": search, **fields})


def chosen(sweep: Swept) -> list[tuple[int, ...]]:
    return [tuple(row.value_indexes) for row in sweep.rows]


@pytest.mark.parametrize("method", ["RANDOM", "TPE"])
async def test_a_search_trades_as_many_different_combinations_as_asked_for(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles], method: str
) -> None:
    sweep = await swept(portfolios, asked(method, 40, split=0.7, best_count=40))
    started = sweep.started
    assert (started.combination_count, started.skipped_combination_count) == (40, 0)
    assert (started.portfolio_count, sweep.summary.progress.completed) == (80, 80)
    assert len(set(chosen(sweep))) == 40
    # All of them are trials.
    assert sweep.summary.selection_bias.trial_count == 40
    # Each row has the account of its values.
    for row in (sweep.rows[0], sweep.rows[-1]):
        alone = [{**each, "values": [each["values"][index]]} for each, index in _dimensions(row)]
        ranges, (stop,), (places,) = alone[:3], alone[3:4], alone[4:]
        fields = {"ranges": ranges, "execution_ranges": [stop], "portfolio_ranges": [places], "split": 0.7}
        (same,) = (await swept(portfolios, sweep_request(**fields))).rows
        assert (same.train, same.test) == (row.train, row.test)


def _dimensions(row: pb.PortfolioSweepRow) -> list[tuple[Any, int]]:
    every = [*MANY["ranges"], *MANY["execution_ranges"], *MANY["portfolio_ranges"]]
    return list(zip(every, row.value_indexes, strict=True))


@pytest.mark.parametrize("method", ["RANDOM", "TPE"])
async def test_a_seed_decides_and_the_cache_does_not(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles], method: str
) -> None:
    base = costing(6.5 if method == "TPE" else 6.25)
    first = await swept(portfolios, asked(method, 40, portfolio=base))
    cached = asked(method, 40, portfolio=base, cache_mode=CACHE_MODE_DEFAULT)
    computed, again = [await swept(portfolios, cached) for _ in range(2)]
    assert first.rows == computed.rows == again.rows
    assert first.best == computed.best == again.best
    assert again.summary.progress.from_cache == 40
    assert chosen(await swept(portfolios, asked(method, 40, seed=4, portfolio=base))) != chosen(first)
    assert again.started.request.search == cached.search


async def test_a_larger_random_search_contains_the_smaller_one(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    few, more = [await swept(portfolios, asked("RANDOM", count)) for count in (10, 20)]
    assert chosen(more)[:10] == chosen(few)


async def test_an_optimizer_finds_better_accounts_than_chance(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles]
) -> None:
    chance, optimized = [await swept(portfolios, asked(method, 64)) for method in ("RANDOM", "TPE")]
    found, among = ([row.train.sharpe_ratio for row in one.rows] for one in (optimized, chance))
    assert statistics.median(found[32:]) > statistics.quantiles(among, n=4)[2]


@pytest.mark.parametrize("method", ["RANDOM", "TPE"])
async def test_a_search_for_more_than_there_are_trades_all_that_do_not_conflict(
    portfolios: "PortfolioServiceAsyncStub", market: dict[str, Candles], method: str
) -> None:
    few = {
        "execution_ranges": [setting("size", {"equity_fraction": 0.1}, {"quote_amount": 500})],
        "portfolio_ranges": [setting("rebalancing", {}, {"rebalancing": {"every": 24}})],
        "ranges": [parameter("period", 5, 9)],
    }
    request = asked(method, 1_000, **few)
    request.spec.ClearField("size")
    sweep = await swept(portfolios, request)
    # Amounts have no target to rebalance to.
    every = {(period, *rest) for period in (0, 1) for rest in ((0, 0), (0, 1), (1, 0))}
    assert set(chosen(sweep)) == every
    assert len(sweep.rows) == 6


BAD: dict[str, tuple[pb.SweepPortfoliosRequest, str, str]] = {
    "none": (asked("RANDOM", 0), "search.combination_count", "must be from 1 to 10,000, not 0"),
    "too many": (asked("RANDOM", 10_001), "search.combination_count", "must be from 1 to 10,000"),
    "too many to propose": (asked("TPE", 1_001), "search.combination_count", "must be from 1 to 1,000"),
    "a seed below 0": (asked("RANDOM", 5, seed=-1), "search.seed", "must be at least 0, not -1"),
    "all of too many": (
        sweep_request(**MANY),
        "ranges",
        "have 144,000 combinations, and at most 10,000 are allowed, unless a search chooses some",
    ),
}


@pytest.mark.parametrize(("request_", "field", "reason"), BAD.values(), ids=BAD)
async def test_a_search_that_cannot_be_is_refused(
    portfolios: "PortfolioServiceAsyncStub",
    market: dict[str, Candles],
    request_: pb.SweepPortfoliosRequest,
    field: str,
    reason: str,
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await swept(portfolios, request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    (violation,) = violations_of(caught.value)
    assert violation.field == field
    assert reason in violation.reason
