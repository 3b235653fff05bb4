"""Columns on their way from the data service: what is new, once, and nothing else."""

import asyncio
import shutil
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine.candles import VALUE_COLUMNS, Candles
from backcast_engine.interval import Interval
from backcast_engine.strategies.rsi import Rsi
from backcast_engine.times import EARLIEST_S
from services.compute.candles.column_files import ColumnFiles
from services.compute.candles.column_provider import ColumnProvider
from services.compute.candles.location import DataVersion
from services.compute.candles.source import CandleSource
from services.domain.errors import Unavailable
from services.wire.backtests import strategy_to
from tests.candle_making import START_S, events_of, import_candles, random_candles
from tests.end_to_end.candles.columns import (
    CLOSE,
    CRYPTOS,
    HOUR,
    HOURS,
    OVERHEAD,
    append,
    assert_same,
    brought,
    known,
    numbers,
    singly,
    size,
)
from tests.end_to_end.line import Line

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub


async def correct(
    data_service: "MarketDataServiceAsyncStub", market: dict[str, Candles], symbol: str, position: int
) -> None:
    """Store another close at a position."""
    candles = market[symbol]
    close = candles.close.copy()
    close[position] = (
        candles.low[position] if close[position] != candles.low[position] else candles.high[position]
    )
    market[symbol] = replace(candles, close=close)
    await import_candles(data_service, symbol, market[symbol][position : position + 1])


async def test_only_the_columns_asked_for_are_fetched_and_only_once(
    supply: ColumnProvider, line: Line, data_service: "MarketDataServiceAsyncStub", market: dict[str, Candles]
) -> None:
    cryptos = await known(data_service, market)
    assert_same(await brought(supply, cryptos), market)
    assert 0 < line.received - size("close") < OVERHEAD
    with line.ended():
        assert_same(await brought(supply, cryptos), market)
    before = line.received
    assert_same(await brought(supply, cryptos, ("high", "close")), market, ("high", "close"))
    assert 0 < line.received - before - size("high") < OVERHEAD


def since(market: dict[str, Candles], time_s: int) -> dict[str, Candles]:
    """Return the candles that open from a time on."""
    return {
        symbol: candles[int(candles.open_time_s.searchsorted(time_s)) :] for symbol, candles in market.items()
    }


async def test_only_candles_since_the_time_asked_for_are_fetched(
    supply: ColumnProvider, line: Line, data_service: "MarketDataServiceAsyncStub", market: dict[str, Candles]
) -> None:
    cryptos = await known(data_service, market)
    since_s = START_S + 3600 * (HOURS - 500)
    assert_same(await brought(supply, cryptos, since_s=since_s), since(market, since_s))
    assert 0 < line.received - size("close") / HOURS * 500 < OVERHEAD
    with line.ended():
        assert_same(await brought(supply, cryptos, since_s=since_s + 3600), since(market, since_s))
    before = line.received
    for symbol in market:
        await append(data_service, market, symbol)
    cryptos = await known(data_service, market)
    assert_same(await brought(supply, cryptos, since_s=since_s), since(market, since_s))
    assert 0 < line.received - before < OVERHEAD
    # Before that time.
    for symbol in market:
        await correct(data_service, market, symbol, 10)
    cryptos = await known(data_service, market)
    assert_same(await brought(supply, cryptos, since_s=since_s), since(market, since_s))
    # Whoever looks further back gets everything.
    assert_same(await brought(supply, cryptos, since_s=since_s - 3600), market)
    with line.ended():
        assert_same(await brought(supply, cryptos), market)


@pytest.mark.parametrize("interval", [HOUR, Interval.DAY_1])
async def test_whoever_asked_for_more_than_there_is_has_everything(
    supply: ColumnProvider,
    line: Line,
    data_service: "MarketDataServiceAsyncStub",
    market: dict[str, Candles],
    interval: Interval,
) -> None:
    cryptos = await known(data_service, market)
    whole = await brought(supply, cryptos, interval=interval, since_s=interval.opening(START_S))
    with line.ended():
        assert_same(await brought(supply, cryptos, interval=interval), whole)  # type: ignore[arg-type]  # none is an error


async def test_data_that_ended_before_the_time_asked_for_has_a_history_without_candles(
    supply: ColumnProvider, data_service: "MarketDataServiceAsyncStub", market: dict[str, Candles]
) -> None:
    cryptos = await known(data_service, market)
    after_s = START_S + 3600 * HOURS
    assert_same(await brought(supply, cryptos, since_s=after_s), since(market, after_s))
    assert_same(await brought(supply, cryptos), market)


async def test_runs_that_need_different_columns_since_different_times_get_theirs(
    supply: ColumnProvider, data_service: "MarketDataServiceAsyncStub", market: dict[str, Candles]
) -> None:
    cryptos = await known(data_service, market)
    needs: list[tuple[tuple[str, ...], int]] = [
        (("close",), START_S + 3600 * (HOURS - 500)),
        (("high", "low"), START_S + 3600 * (HOURS - 100)),
        (("open", "close"), EARLIEST_S),
        (VALUE_COLUMNS, START_S + 3600 * (HOURS - 900)),
    ]
    runs = await asyncio.gather(
        *(brought(supply, cryptos, columns, since_s=since_s) for columns, since_s in needs)
    )
    for (columns, since_s), found in zip(needs, runs, strict=True):
        candles = {symbol: each for symbol, each in found.items() if isinstance(each, Candles)}
        assert_same({**found, **since(candles, since_s)}, since(market, since_s), columns)
    assert_same(await brought(supply, cryptos, VALUE_COLUMNS), market, VALUE_COLUMNS)


async def test_after_an_appended_candle_only_that_is_fetched(
    supply: ColumnProvider, line: Line, data_service: "MarketDataServiceAsyncStub", market: dict[str, Candles]
) -> None:
    await brought(supply, await known(data_service, market))
    before = line.received
    for symbol in market:
        await append(data_service, market, symbol)
    assert_same(await brought(supply, await known(data_service, market)), market)
    assert 0 < line.received - before < OVERHEAD


async def test_a_correction_replaces_just_that_crypto(
    supply: ColumnProvider,
    line: Line,
    files: ColumnFiles,
    data_service: "MarketDataServiceAsyncStub",
    market: dict[str, Candles],
) -> None:
    cryptos = await known(data_service, market)
    await brought(supply, cryptos)
    corrected, *others = cryptos
    inodes = [Path(files.stored(data, HOUR, CLOSE).path).stat().st_ino for data in others]
    before = line.received
    await correct(data_service, market, corrected.symbol, HOURS - 100)
    assert_same(await brought(supply, await known(data_service, market)), market)
    assert 100 * 2 * 8 < line.received - before < 100 * 2 * 8 + OVERHEAD
    assert inodes == [Path(files.stored(data, HOUR, CLOSE).path).stat().st_ino for data in others]
    assert not Path(files.stored(corrected, HOUR, CLOSE).path).exists()


async def test_what_came_before_a_stream_broke_is_kept(
    supply: ColumnProvider, line: Line, data_service: "MarketDataServiceAsyncStub", market: dict[str, Candles]
) -> None:
    cryptos = await known(data_service, market)
    line.hold(after=size("close") // 2)
    found: dict[str, Candles | Exception] = {}
    async for data, stored in singly(supply.columns(cryptos, HOUR, CLOSE)):
        found[data.symbol] = stored if isinstance(stored, Exception) else stored.map().candles
        if len(found) == 1:
            line.cut()
    # It goes on with what is missing: what came before is not fetched again.
    assert_same(found, market)  # type: ignore[arg-type]  # none is an error, or it would not be the same
    assert size("close") < line.received < 4 / 3 * size("close") + OVERHEAD


async def test_a_run_that_asks_for_data_of_the_past_gets_the_present(
    supply: ColumnProvider,
    tmp_path: Path,
    data_service: "MarketDataServiceAsyncStub",
    market: dict[str, Candles],
) -> None:
    past = await known(data_service, market)
    for symbol in market:
        await append(data_service, market, symbol)
    present = await known(data_service, market)
    assert_same(await brought(supply, past), market)
    files = {path.name: path.stat().st_ino for path in (tmp_path / "columns").iterdir()}
    assert [data async for data, _ in singly(supply.columns(past, HOUR, CLOSE))] == present
    assert files == {path.name: path.stat().st_ino for path in (tmp_path / "columns").iterdir()}


async def test_a_run_that_asks_for_data_of_the_past_gets_the_present_beside_other_columns_of_it(
    supply: ColumnProvider,
    data_service: "MarketDataServiceAsyncStub",
    market: dict[str, Candles],
) -> None:
    """The folder has a part of the present version, with columns that are not asked for."""
    present = await known(data_service, market)
    await brought(supply, present, ("volume",), since_s=START_S + 3600 * 1_000)
    past = [DataVersion(data.symbol, "of long ago") for data in present]
    assert_same(await brought(supply, past), market)


async def test_columns_of_different_moments_are_never_mixed(
    supply: ColumnProvider, data_service: "MarketDataServiceAsyncStub", market: dict[str, Candles]
) -> None:
    past = await known(data_service, market)
    await brought(supply, past, ("close",))
    for symbol in market:
        await correct(data_service, market, symbol, 10)
    assert_same(await brought(supply, past, ("high", "close")), market, ("high", "close"))


async def test_an_unwritable_folder_is_reported_for_each_crypto(
    source: CandleSource,
    tmp_path: Path,
    data_service: "MarketDataServiceAsyncStub",
    market: dict[str, Candles],
) -> None:
    (tmp_path / "file").touch()
    supply = ColumnProvider(ColumnFiles(tmp_path / "file", 1.0), source)
    found = await brought(supply, await known(data_service, market))
    assert len(found) == CRYPTOS
    assert {type(error) for error in found.values()} == {Unavailable}
    assert {str(error) for error in found.values()} == {
        f"compute cannot keep candles in {tmp_path / 'file'}: Not a directory"
    }


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 200)),
        st.tuples(st.just("correct"), st.integers(0, 10_000)),
        st.tuples(st.just("delete"), st.just(0)),
        st.tuples(st.just("run"), st.integers(0, 4)),
        st.tuples(st.just("run daily"), st.integers(0, 4)),
    ),
    min_size=2,
    max_size=12,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_whatever_happens_columns_are_the_truth(
    supply: ColumnProvider,
    source: CandleSource,
    tmp_path: Path,
    data_service: "MarketDataServiceAsyncStub",
    steps: list[tuple[str, int]],
) -> None:
    symbol = f"TRUTH{next(numbers)}USDT"
    market = {symbol: random_candles(5, 100)}
    await import_candles(data_service, symbol, market[symbol])
    for step, number in [*steps, ("run", 3), ("run daily", 3)]:
        if step == "append":
            await append(data_service, market, symbol, number)
        elif step == "correct":
            await correct(data_service, market, symbol, number % len(market[symbol]))
        elif step == "delete":
            shutil.rmtree(tmp_path / "columns", ignore_errors=True)
        else:
            columns = tuple(VALUE_COLUMNS[position] for position in sorted({number, 3}))
            cryptos = await known(data_service, market)
            if step == "run":
                assert_same(await brought(supply, cryptos, columns), market, columns)
            else:
                async with aclosing(
                    source.histories({symbol: ""}, Interval.DAY_1, VALUE_COLUMNS)
                ) as histories:
                    (history,) = await anext(histories)
                    (daily,) = history.blocks
                found = await brought(supply, cryptos, columns, Interval.DAY_1)
                assert_same(found, {symbol: daily}, columns)


async def test_results_are_those_of_a_run_with_an_empty_folder(
    gateway: "BacktestServiceAsyncStub",
    data_service: "MarketDataServiceAsyncStub",
    short_folder: Path,
    market: dict[str, Candles],
) -> None:
    async def results() -> dict[str, bytes]:
        request = pb.RunBacktestsRequest(
            symbols=market,
            spec=BacktestSpec(strategy=strategy_to(Rsi())),
            cache_mode=pb.CACHE_MODE_BYPASS,
            detail=3,
        )
        return {
            event.result.symbol: event.result.SerializeToString(deterministic=True)
            async for event in events_of(gateway, request)
            if event.HasField("result")
        }

    before = await results()
    for symbol in market:
        await append(data_service, market, symbol, 30)
        await correct(data_service, market, symbol, HOURS - 10)
    built_upon = await results()
    shutil.rmtree(short_folder / "stack" / "columns")
    assert await results() == built_upon
    assert len(built_upon) == CRYPTOS
    assert not set(built_upon.values()) & set(before.values())
