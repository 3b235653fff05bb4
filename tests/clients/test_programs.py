"""What docs/clients.md promises of the example programs, each against real services."""

import signal
from contextlib import AsyncExitStack
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import run_service_pb2
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast_engine.candles import Candles
from backcast_engine.strategies.rsi import Rsi
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from services.wire.backtests import strategy_to
from tests.candle_making import START_S, events_of, import_candles, random_candles
from tests.clients.conftest import OVER_GRPC, TEN_YEARS, TOO_FEW
from tests.clients.program import Program, finished, line_with
from tests.end_to_end.line import Line
from tests.end_to_end.one_service import service_beside
from tests.end_to_end.processes import workers_held
from tests.known_runs import known_run
from tests.security.secured import Secured
from tests.waiting import until

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.gateway.v1.run_service_pb2_grpc import RunServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

CACHED, *OTHERS = SYMBOLS = [f"CLI{number}USDT" for number in range(4)]
LONG = "CLILONGUSDT"
over_grpc = pytest.mark.parametrize("program", OVER_GRPC, indirect=True)


def request(period: int, *symbols: str) -> pb.RunBacktestsRequest:
    """Return what a program asks for with `--start 2024-01-01` and this period."""
    spec = BacktestSpec(strategy=strategy_to(Rsi(period=period)))
    spec.start_time.seconds = START_S
    return pb.RunBacktestsRequest(spec=spec, symbols=symbols)


def arguments(period: int, command: str, *symbols: str) -> tuple[object, ...]:
    return ("--start", "2024-01-01", "--period", period, command, *symbols)


async def put_into_the_cache(gateway: "BacktestServiceAsyncStub", period: int) -> None:
    """Let the first crypto's result, and no other, be in the cache."""
    events = [event async for event in events_of(gateway, request(period, *SYMBOLS[:1]))]
    assert events[-1].progress.completed == 1


async def state_of(runs: "RunServiceAsyncStub", line: str) -> str:
    """Return the state of the run that a program has named in this line."""
    _, run_id = line.split()
    return run_service_pb2.RunState.Name((await known_run(runs, run_id)).state)


def symbols_in(out: str) -> list[str]:
    """Return the cryptos that a program has printed, in order."""
    return sorted(line.split()[0] for line in out.splitlines())


async def test_a_run_prints_progress_and_the_result_of_every_crypto(
    program: Program, gateway: "BacktestServiceAsyncStub", market: dict[str, Candles], period: int
) -> None:
    done = await program(*arguments(period, "run", *SYMBOLS, TOO_FEW))
    assert done.status == 0, done.err
    expected = [
        f"{event.result.symbol} {event.result.metrics.total_return:+.1%}"
        async for event in events_of(gateway, request(period, *SYMBOLS))
        if event.HasField("result")
    ]
    *failures, _ = failed = [line for line in done.out.splitlines() if line.startswith(TOO_FEW)]
    assert not failures
    assert failed[0].startswith(f"{TOO_FEW} FailedPrecondition TOO_FEW_CANDLES: ")
    assert sorted(done.out.splitlines()) == sorted([*expected, *failed])
    assert [line for line in done.err.splitlines() if " of 5" in line] == [
        *(f"{number} of 5" for number in range(6)),
        "5 of 5",
    ]


async def test_a_deadline_ends_the_program_and_the_run_is_paused(
    program: Program,
    stack: LocalStack,
    runs: "RunServiceAsyncStub",
    market: dict[str, Candles],
    period: int,
) -> None:
    async with workers_held(stack):
        # On a busy machine, the first of these deadlines may pass before the run begins.
        for timeout_s in (2, 50):
            done = await program("--timeout", timeout_s, *arguments(period, "run", *SYMBOLS))
            assert (done.status, "DeadlineExceeded" in done.err) == (1, True), done.err
            if lines := [line for line in done.err.splitlines() if line.startswith("run ")]:
                break

        async def is_paused() -> bool:
            return await state_of(runs, lines[0]) == "RUN_STATE_PAUSED"

        await until(is_paused)


async def test_ctrl_c_ends_the_program_and_the_run_is_paused(
    program: Program,
    stack: LocalStack,
    runs: "RunServiceAsyncStub",
    market: dict[str, Candles],
    period: int,
) -> None:
    async with workers_held(stack), program.running(*arguments(period, "run", *SYMBOLS)) as process:
        line = await line_with("run ", process.stderr)
        process.send_signal(signal.SIGINT)
        done = await finished(process)

        async def is_paused() -> bool:
            return await state_of(runs, line) == "RUN_STATE_PAUSED"

        assert (done.status, "Canceled" in done.err) == (1, True), done.err
        await until(is_paused)


async def test_a_run_that_is_cancelled_in_the_middle_is_over(
    program: Program,
    stack: LocalStack,
    gateway: "BacktestServiceAsyncStub",
    market: dict[str, Candles],
    period: int,
) -> None:
    await put_into_the_cache(gateway, period)
    # Of the others nothing gets ready: the run ends because it is cancelled.
    async with workers_held(stack):
        done = await program(*arguments(period, "cancel", *SYMBOLS))
    state, reason = done.out.splitlines()
    assert (done.status, state.removeprefix("RUN_STATE_"), reason) == (0, "CANCELLED", "RUN_CANCELLED")


async def test_a_run_whose_connection_breaks_is_resumed_without_a_gap_or_a_double(
    program: Program,
    stack: LocalStack,
    gateway: "BacktestServiceAsyncStub",
    runs: "RunServiceAsyncStub",
    market: dict[str, Candles],
    period: int,
) -> None:
    await put_into_the_cache(gateway, period)
    async with Line(program.server) as line, AsyncExitStack() as held:
        await held.enter_async_context(workers_held(stack))
        async with program.running(*arguments(period, "run", *SYMBOLS), server=line.address) as process:
            first = await line_with(CACHED, process.stdout)
            line.cut()
            tried_again = await line_with("trying again", process.stderr)
            await held.aclose()
            done = await finished(process)
    assert done.status == 0, tried_again + done.err
    assert symbols_in(first + done.out) == SYMBOLS
    # It is the same run: no other has begun.
    assert not any(line.startswith("run ") for line in done.err.splitlines())
    assert done.err.splitlines()[-1] == "4 of 4"


@over_grpc
async def test_a_run_that_the_gateway_has_forgotten_is_started_anew(
    program: Program,
    stack: LocalStack,
    gateway: "BacktestServiceAsyncStub",
    market: dict[str, Candles],
    period: int,
    short_folder: Path,
) -> None:
    await put_into_the_cache(gateway, period)
    folder = short_folder / "forgetting"
    async with service_beside(stack, "gateway", folder) as first, AsyncExitStack() as held:
        await held.enter_async_context(workers_held(stack))
        async with program.running(*arguments(period, "run", *SYMBOLS), server=first.address) as process:
            out = await line_with(CACHED, process.stdout)
            first.process.kill()
            await line_with("trying again", process.stderr)
            await held.aclose()
            port = int(first.address.rpartition(":")[2])
            async with service_beside(stack, "gateway", folder, port):
                done = await finished(process)
    assert done.status == 0, done.err
    assert symbols_in(out + done.out) == SYMBOLS
    assert any(line.startswith("run ") for line in done.err.splitlines())
    assert done.err.splitlines()[-1] == "4 of 4"


async def test_a_bad_field_is_named(program: Program, market: dict[str, Candles]) -> None:
    done = await program("--period", 1, "run", *SYMBOLS)
    summary, *fields = done.err.splitlines()
    assert (done.status, done.out) == (1, "")
    assert summary.startswith("InvalidArgument INVALID_REQUEST: ")
    assert [field.split(": ")[0] for field in fields] == ["  spec.strategy.rsi.period"]


@over_grpc
async def test_a_program_waits_as_long_as_a_limit_asks(
    program: Program, stack: LocalStack, market: dict[str, Candles], period: int, short_folder: Path
) -> None:
    async with (
        service_beside(stack, "gateway", short_folder / "limited", max_runs_per_client=1) as limited,
        open_channel(limited.address) as channel,
        workers_held(stack),
    ):
        call = BacktestServiceStub(channel).RunBacktests(request(period, *SYMBOLS))
        await anext(aiter(call))
        async with program.running(*arguments(period, "run", CACHED), server=limited.address) as process:
            refused = await line_with("trying again", process.stderr)
            # A run without a client is paused, and its slot is free.
            call.cancel()
            await line_with("run ", process.stderr)
    assert "at most 1 runs" in refused


async def test_a_sweep_prints_every_combination_and_the_best(
    program: Program, market: dict[str, Candles]
) -> None:
    done = await program("--start", "2024-01-01", "sweep", *SYMBOLS[:2])
    assert done.status == 0, done.err
    *rows, best = done.out.splitlines()
    assert [row.split(":")[0] for row in rows] == [f"period {period}" for period in range(5, 31)]
    assert best.startswith("best: CLI")
    # Each in the train part and in the test part.
    assert done.err.splitlines()[-1] == "104 of 104"


@pytest.fixture(scope="module")
async def ten_years(data_service: "MarketDataServiceAsyncStub") -> datetime:
    """The first hour of a crypto's ten years up to today; a data service that starts drops what is older."""
    start = datetime.combine(datetime.now(UTC), time(), UTC) - timedelta(hours=TEN_YEARS)
    await import_candles(data_service, LONG, random_candles(5, TEN_YEARS, int(start.timestamp())))
    return start


async def test_a_curve_of_ten_years_is_whole(
    program: Program, gateway: "BacktestServiceAsyncStub", ten_years: datetime
) -> None:
    asked = request(14, LONG)
    asked.spec.start_time.FromDatetime(ten_years)
    (trades,) = [
        event.result.metrics.trade_count + event.result.metrics.open_trade_count
        async for event in events_of(gateway, asked)
        if event.HasField("result")
    ]
    done = await program("--start", ten_years.date(), "curve", LONG)
    assert (done.status, done.out) == (0, f"{LONG} {TEN_YEARS} points, {trades:.0f} trades\n"), done.err


@over_grpc
async def test_a_token_is_taken_over_tls(
    program: Program, secured: Secured, market: dict[str, Candles]
) -> None:
    server = secured.stack.gateway_address
    tls = {"BACKCAST_TLS_CA_FILE": str(secured.files.ca)}
    done = await program("run", CACHED, server=server, **tls, BACKCAST_TOKEN=secured.tokens["run"])
    assert (done.status, len(done.out.splitlines())) == (0, 1), done.err
    without = await program("run", CACHED, server=server, **tls)
    assert (without.status, without.err.startswith("Unauthenticated TOKEN_MISSING: ")) == (1, True), (
        without.err
    )
    plaintext = await program("run", CACHED, BACKCAST_TOKEN=secured.tokens["run"])
    assert (plaintext.status, plaintext.out) == (1, "")
    assert secured.tokens["run"] not in plaintext.err


@pytest.mark.parametrize("program", ["go"], indirect=True)
async def test_a_call_that_reaches_nobody_is_repeated_by_the_service_config(
    program: Program, market: dict[str, Candles]
) -> None:
    async with Line(program.server) as line:
        line.down = True
        async with program.running("run", CACHED, server=line.address) as process:
            await until(lambda: line.refused > 0)
            line.down = False
            done = await finished(process)
    assert (done.status, len(done.out.splitlines())) == (0, 1), done.err
