"""Whatever comes over the wire is answered with a clear status; nothing breaks, grows, or leaks a secret."""

import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import psutil
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]  # private

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.strategy_pb2 import Strategy
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from services.local.stack import LocalStack
from services.rpc.channel import open_channel
from tests.candle_making import import_candles, random_candles
from tests.domain.test_symbols import HOSTILE
from tests.security.fuzzing import CLEAR, code_of, messages_with_one_double, methods_of, random_message
from tests.waiting import until

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceAsyncStub
    from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

SYMBOL = "FUZZUSDT"
Methods = list[tuple[grpc.aio.Channel, MethodDescriptor]]


@pytest.fixture(scope="module")
async def methods(stack: LocalStack, data_service: "MarketDataServiceAsyncStub") -> AsyncIterator[Methods]:
    """Every method of all three services, with a channel to each."""
    await import_candles(data_service, SYMBOL, random_candles(1, 200))
    async with AsyncExitStack() as channels:
        found = []
        for address in (stack.gateway_address, stack.compute_address, stack.data_address):
            channel = await channels.enter_async_context(open_channel(address))
            found += [(channel, method) for method in await methods_of(channel)]
        # The gateway passes those of the data service on.
        assert len(found) >= 5 + 4 + 2 + 4
        yield found


@pytest.fixture(scope="module", autouse=True)
def logs_of_bugs(short_folder: Path) -> Iterator[None]:
    """Afterwards, no service has logged a bug, whatever it answered."""
    logs = list((short_folder / "stack" / "logs").glob("*.log"))
    before = {log: log.stat().st_size for log in logs}
    yield
    for log in logs:
        with log.open() as lines:
            lines.seek(before[log])
            new = lines.read()
        assert "call failed" not in new
        assert "Traceback" not in new


async def assert_it_works(gateway: "BacktestServiceAsyncStub") -> None:
    request = pb.RunBacktestsRequest(
        symbols=[SYMBOL], spec=BacktestSpec(strategy={"rsi": {}}), cache_mode=pb.CACHE_MODE_BYPASS
    )
    events = [event async for event in gateway.RunBacktests(request)]
    assert events[-1].progress.completed == 1


async def test_random_bytes_are_answered_with_a_clear_status(
    methods: Methods, gateway: "BacktestServiceAsyncStub"
) -> None:
    chance = random.Random(5)
    codes: dict[str, set[grpc.StatusCode]] = defaultdict(set)
    for channel, method in methods:
        for size in (0, 1, 2, 10, 100, 1_000, 100_000):
            for _ in range(3):
                code = await code_of(channel, method, chance.randbytes(size))
                codes[method.full_name].add(code)
    assert {name: found - CLEAR for name, found in codes.items() if found - CLEAR} == {}
    await assert_it_works(gateway)


async def test_random_messages_are_answered_with_a_clear_status(
    methods: Methods, gateway: "BacktestServiceAsyncStub", data_service: "MarketDataServiceAsyncStub"
) -> None:
    chance = random.Random(7)
    unclear = []
    for channel, method in methods:
        for _ in range(60):
            message = random_message(method.input_type, chance)
            code = await code_of(channel, method, message.SerializeToString())
            if code not in CLEAR:
                unclear.append((method.full_name, code, str(message)[:500]))
    assert unclear == []
    # One of them may have asked to delete it.
    await import_candles(data_service, SYMBOL, random_candles(1, 200))
    await assert_it_works(gateway)


async def test_fields_that_hold_no_number_are_answered_with_a_clear_status(methods: Methods) -> None:
    unclear = []
    for channel, method in methods:
        for path, message in messages_with_one_double(method.input_type):
            fields = method.input_type.fields_by_name
            if "spec" in fields and not path.startswith("spec.strateg"):
                spec: Any = message.spec  # type: ignore[attr-defined]  # it has one
                is_portfolio = "strategies" in spec.DESCRIPTOR.fields_by_name
                (spec.strategies.add() if is_portfolio else spec).strategy.rsi.SetInParent()
            if "symbols" in fields:
                message.symbols.append(SYMBOL)  # type: ignore[attr-defined]  # it has them
            code = await code_of(channel, method, message.SerializeToString())
            if code not in CLEAR:
                unclear.append((method.full_name, path, code))
    assert unclear == []


async def failure(
    gateway: "BacktestServiceAsyncStub", request: pb.RunBacktestsRequest
) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [event async for event in gateway.RunBacktests(request)]
    return caught.value


@pytest.mark.parametrize(
    "symbols",
    [*([text] for text in HOSTILE), ["A" * 65_536] * 60, ["!"] * 10_000, ["\0" * 32] * 10_000],
    ids=lambda symbols: f"{len(symbols)} × {ascii(symbols[0])[:12]}",
)
async def test_hostile_symbols_are_answered_with_a_clear_status(
    gateway: "BacktestServiceAsyncStub", methods: Methods, symbols: list[str]
) -> None:
    error = await failure(
        gateway, pb.RunBacktestsRequest(symbols=symbols, spec=BacktestSpec(strategy={"rsi": {}}))
    )
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "symbols[0]" in (error.details() or "")


async def test_a_message_that_is_too_large_is_refused(
    gateway: "BacktestServiceAsyncStub", methods: Methods
) -> None:
    error = await failure(gateway, pb.RunBacktestsRequest(symbols=["A" * 65_536] * 1_000))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await assert_it_works(gateway)


def nested(levels: int, width: int = 1) -> bytes:
    """A request whose rule is `not` of `not` of …, in raw bytes: the message classes go less deep."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number * 8 + 2]) + _VarintBytes(len(content)) + content

    expression = b""
    for _ in range(levels):
        expression = field(4, expression) * width
        width = 1
    names = pb.RunBacktestsRequest.DESCRIPTOR.fields_by_name
    rules = Strategy.DESCRIPTOR.fields_by_name["rules"].number
    strategy = BacktestSpec.DESCRIPTOR.fields_by_name["strategy"].number
    spec = field(names["spec"].number, field(strategy, field(rules, field(1, expression))))
    return field(names["symbols"].number, SYMBOL.encode()) + spec


@pytest.mark.parametrize(
    "request_bytes",
    [nested(1), nested(31), nested(40), nested(90), nested(150), nested(20_000), nested(2, width=200_000)],
    ids=["1 level", "31", "40", "90", "150", "20,000", "wide"],
)
async def test_deep_and_wide_rules_are_refused(
    gateway: "BacktestServiceAsyncStub", methods: Methods, request_bytes: bytes
) -> None:
    channel, method = next(pair for pair in methods if pair[1].name == "RunBacktests")
    assert await code_of(channel, method, request_bytes) is grpc.StatusCode.INVALID_ARGUMENT


def services_of(stack: LocalStack) -> list[psutil.Process]:
    ports = {address.rpartition(":")[2] for address in (stack.gateway_address, stack.data_address)}
    ports.add(stack.compute_address.rpartition(":")[2])
    return [
        child
        for child in psutil.Process().children()
        if child.cmdline()[-2:-1] == ["serve"]
        and child.environ()[f"BACKCAST_{child.cmdline()[-1].upper()}_PORT"] in ports
    ]


async def test_ten_thousand_dropped_streams_leave_nothing(
    stack: LocalStack, gateway: "BacktestServiceAsyncStub", methods: Methods
) -> None:
    services = services_of(stack)
    assert len(services) == 3
    request = pb.RunBacktestsRequest(
        symbols=[SYMBOL], spec=BacktestSpec(strategy={"rsi": {}}), cache_mode=pb.CACHE_MODE_BYPASS
    )

    async def open_and_drop(count: int) -> None:
        async with open_channel(stack.gateway_address) as channel:
            stub = BacktestServiceStub(channel)
            calls = [stub.RunBacktests(request) for _ in range(count)]
            # Of so many at once, gRPC itself turns some away, and the gateway those above its limits.
            with suppress(grpc.aio.AioRpcError):
                await calls[0].wait_for_connection()
            for call in calls:
                call.cancel()
        await until(works)

    async def works() -> bool:
        try:
            await assert_it_works(gateway)
        except grpc.aio.AioRpcError as error:
            # gRPC turns some calls away while many wait to be accepted, and the gateway while as many runs as
            # may be are on their way out.
            assert error.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.RESOURCE_EXHAUSTED)
            return False
        return True

    # What is allocated once and kept, is there after the first of them.
    await open_and_drop(2_000)
    await open_and_drop(2_000)
    before = {service: (service.memory_info().rss, service.num_fds()) for service in services}
    for _ in range(5):
        await open_and_drop(2_000)
    for service, (rss, files) in before.items():
        assert service.is_running()
        # What malloc keeps goes up and down by 40 MiB; 7 KiB a stream would be more.
        assert service.memory_info().rss - rss < 64 * 1024 * 1024
        assert service.num_fds() - files <= 8
