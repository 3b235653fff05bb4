"""Portfolios through the Python client, held against the messages of the API."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

import backcast
from backcast.errors import CancelledError, InvalidRequestError, NotFoundError, RefusedError
from backcast.gateway.v1.portfolio_service_pb2_grpc import PortfolioServiceStub
from backcast.requests import portfolio_request
from backcast_engine.candles import Candles
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.end_to_end.portfolios.accounts import traded

if TYPE_CHECKING:
    import backcast.aio

BOTH = {backcast.Rsi(period=7): "40%", backcast.rules("close > sma(50)", "close < sma(50)"): 0.6}


async def test_frames_of_a_portfolio_have_the_numbers_of_the_message(
    client: backcast.Client, stack: LocalStack, cryptos: dict[str, Candles]
) -> None:
    portfolio = client.portfolio(
        BOTH, symbols=cryptos, rank="roc(24)", max_positions=1, rebalance_every=50, detail="equity"
    )
    frames = {name: getattr(portfolio, name)() for name in ("cryptos", "trades", "equity", "correlation")}
    async with open_channel(stack.gateway_address) as channel:
        result = (await traded(PortfolioServiceStub(channel), portfolio.request)).result
    message = portfolio.result
    message.from_cache = result.from_cache
    assert message == result
    assert portfolio.metrics.total_return == result.metrics.total_return
    assert portfolio.hold.total_return == result.hold.total_return
    account = portfolio.account()
    assert account["name"].tolist() == ["account", "hold"]
    assert account["total_return"].tolist() == [result.metrics.total_return, result.hold.total_return]
    assert np.isnan(account["alpha"]).all()
    assert frames["cryptos"]["symbol"].tolist() == sorted(cryptos)
    assert frames["cryptos"]["contribution"].tolist() == [each.contribution for each in result.cryptos]
    assert frames["cryptos"]["skipped_no_place"].tolist() == [
        each.skipped.no_place for each in result.cryptos
    ]
    assert frames["trades"]["symbol"].tolist() == [each.symbol for each in result.trades]
    assert frames["trades"]["strategy"].tolist() == [each.strategy for each in result.trades]
    assert frames["trades"]["profit"].tolist() == [each.trade.profit for each in result.trades]
    assert set(frames["trades"]["strategy"].tolist()) == {0, 1}
    for name in ("equity", "drawdown", "cash", "exposure", "hold"):
        assert frames["equity"][name].tolist() == list(getattr(result.curve, name))
    assert frames["equity"]["time"].astype(np.int64).tolist() == list(result.curve.open_time_s)
    assert frames["equity"]["position_count"].tolist() == list(result.curve.position_count)
    assert len(frames["correlation"]["correlation"]) == len(result.correlation.values)


async def test_the_client_for_asyncio_has_the_same_portfolio(
    client: backcast.Client, aio_client: "backcast.aio.Client", cryptos: dict[str, Candles]
) -> None:
    options = {"symbols": list(cryptos), "rank": "roc(24)", "detail": "equity", "cache": "bypass"}
    portfolio = await aio_client.portfolio(BOTH, **options)  # type: ignore[arg-type]
    progress = [each async for each in portfolio]
    assert progress[-1].completed == len(portfolio) == len(cryptos)
    same = client.portfolio(BOTH, **options)  # type: ignore[arg-type]
    assert await portfolio.result() == same.result
    assert (await portfolio.metrics()).total_return == same.metrics.total_return
    for name in ("cryptos", "trades", "equity", "correlation"):
        ours, theirs = await getattr(portfolio, name)(), getattr(same, name)()
        assert ours.keys() == theirs.keys()
        for column in ours:
            np.testing.assert_array_equal(ours[column], theirs[column])


def test_what_a_portfolio_does_not_have_is_refused(
    client: backcast.Client, cryptos: dict[str, Candles]
) -> None:
    portfolio = client.portfolio(backcast.Rsi(), symbols=cryptos, run_id="client-portfolio")
    assert portfolio.cryptos()["symbol"].tolist() == sorted(cryptos)
    for name, needed in (("trades", "trades"), ("correlation", "trades"), ("equity", "equity")):
        with pytest.raises(RefusedError, match=f"start it with detail='{needed}'"):
            getattr(portfolio, name)()
    with pytest.raises(RefusedError, match="this run is a portfolio"):
        client.watch("client-portfolio")


def test_a_portfolio_that_is_not_cached_is_not_found(
    client: backcast.Client, cryptos: dict[str, Candles]
) -> None:
    with pytest.raises(NotFoundError, match="the portfolio's result is not in the cache"):
        client.portfolio(backcast.Rsi(oversold=12.5), symbols=cryptos, cache="only").wait()


def test_bad_arguments_of_portfolios_are_named(client: backcast.Client, cryptos: dict[str, Candles]) -> None:
    with pytest.raises(InvalidRequestError) as wrong:
        client.portfolio(backcast.Rsi(period=1), symbols=cryptos, max_positions=99, benchmark="NOPEUSDT")
    assert {each.field for each in wrong.value.violations} == {"period", "max_positions", "benchmark"}
    with pytest.raises(InvalidRequestError, match="rank"):
        client.portfolio(backcast.Rsi(), rank="close > 3")
    with pytest.raises(InvalidRequestError, match="rebalance_threshold: needs rebalance_every"):
        client.portfolio(backcast.Rsi(), rebalance_threshold="10%")
    with pytest.raises(InvalidRequestError, match="is no strategy"):
        client.portfolio(["rsi"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="unexpected argument 'places'"):
        client.portfolio(backcast.Rsi(), places=3)  # type: ignore[call-arg]


def test_a_portfolio_that_is_left_is_cancelled(client: backcast.Client, cryptos: dict[str, Candles]) -> None:
    with client.portfolio(backcast.Rsi(), symbols=cryptos, cache="bypass") as portfolio:
        pass
    with pytest.raises(CancelledError, match="this portfolio was cancelled"):
        portfolio.wait()


def test_weights_and_sizes_become_fields() -> None:
    request = portfolio_request(
        [(backcast.Rsi(), "40%"), (backcast.Supertrend(), None)],
        None,
        {"size": "execution", "size_amount": 5},
    )
    assert request.spec.strategies[0].weight == 0.4
    assert not request.spec.strategies[1].HasField("weight")
    assert request.spec.execution.quote_amount == 5
    assert request.spec.size == 2
