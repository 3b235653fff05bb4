"""Tokens over the wire: which calls a token allows, and the errors of the other calls."""

import signal
from typing import TYPE_CHECKING, Any

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.marketdata.v1 import market_data_service_pb2 as md
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.candles import Candles
from backcast_engine.errors import ErrorReason
from services.gateway.auth.tokens import make_token
from services.wire.candles import candles_to
from tests.error_info import error_info
from tests.security.secured import Secured, entry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

UNAUTHENTICATED, DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED


def import_of(candles: Candles, symbol: str = "SHUTUSDT") -> "AsyncIterator[md.ImportCandlesRequest]":
    async def parts() -> "AsyncIterator[md.ImportCandlesRequest]":
        yield md.ImportCandlesRequest(header=md.ImportHeader(symbol=symbol))
        yield md.ImportCandlesRequest(columns=candles_to(candles))

    return parts()


async def outcome(call: Any) -> grpc.StatusCode:
    """What a call of any kind ends with."""
    try:
        if hasattr(call, "__aiter__"):
            _ = [message async for message in call]
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def calls(channel: grpc.aio.Channel, candles: Candles) -> "dict[str, Callable[..., Any]]":
    """A call of every kind, each to be made with metadata."""
    gateway, data = BacktestServiceStub(channel), MarketDataServiceStub(channel)
    reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
    listing = [reflection_pb2.ServerReflectionRequest(list_services="")]
    return {
        "strategies": lambda metadata: gateway.ListStrategies(pb.ListStrategiesRequest(), metadata=metadata),
        "run": lambda metadata: gateway.RunBacktests(
            pb.RunBacktestsRequest(symbols=["SHUTUSDT"], spec=BacktestSpec(strategy={"rsi": {}})),
            metadata=metadata,
        ),
        "import": lambda metadata: data.ImportCandles(import_of(candles), metadata=metadata),
        "read": lambda metadata: data.StreamCandles(
            md.StreamCandlesRequest(symbols=["SHUTUSDT"]), metadata=metadata
        ),
        "reflection": lambda metadata: reflection.ServerReflectionInfo(iter(listing), metadata=metadata),
    }


@pytest.mark.parametrize(
    ("token", "allowed"),
    [
        ("import", {"import", "reflection"}),
        ("run", {"strategies", "run", "read", "reflection"}),
        ("admin", {"reflection"}),
    ],
)
async def test_a_token_opens_what_its_rights_say(
    secured: Secured, secure_channel: grpc.aio.Channel, candles: Candles, token: str, allowed: set[str]
) -> None:
    made = calls(secure_channel, candles)
    outcomes = {name: await outcome(call(secured.bearer(token))) for name, call in made.items()}
    assert outcomes == {name: grpc.StatusCode.OK if name in allowed else DENIED for name in made}


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", f"Bearer {make_token()}"),),
        (("authorization", "Bearer"),),
        (("authorization", "Bearer "),),
        (("authorization", "Basic dXNlcjpwYXNz"),),
        (("x-authorization", "Bearer x"),),
    ],
    ids=["none", "unknown", "empty", "blank", "basic", "elsewhere"],
)
async def test_strangers_are_refused_everything_but_health(
    secured: Secured, secure_channel: grpc.aio.Channel, candles: Candles, metadata: Any
) -> None:
    for call in calls(secure_channel, candles).values():
        assert await outcome(call(metadata)) is UNAUTHENTICATED
    health = health_pb2_grpc.HealthStub(secure_channel)
    answer = await health.Check(health_pb2.HealthCheckRequest(), metadata=metadata)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_two_tokens_in_one_call_are_none(secured: Secured, secure_channel: grpc.aio.Channel) -> None:
    call = BacktestServiceStub(secure_channel).ListStrategies(
        pb.ListStrategiesRequest(), metadata=secured.bearer("run") + secured.bearer("import")
    )
    assert await outcome(call) is UNAUTHENTICATED


async def test_a_refusal_is_a_sentence_and_a_reason(
    secured: Secured, secure_channel: grpc.aio.Channel
) -> None:
    gateway = BacktestServiceStub(secure_channel)
    with pytest.raises(grpc.aio.AioRpcError) as missing:
        await gateway.ListStrategies(pb.ListStrategiesRequest())
    assert missing.value.details() == "a token is needed, in the metadata: authorization: Bearer TOKEN"
    assert error_info(missing.value) == ("UNAUTHENTICATED", ErrorReason.TOKEN_MISSING, {})
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await gateway.ListStrategies(
            pb.ListStrategiesRequest(), metadata=(("authorization", f"Bearer {make_token()}"),)
        )
    assert unknown.value.details() == "no client has this token"
    assert error_info(unknown.value) == ("UNAUTHENTICATED", ErrorReason.TOKEN_UNKNOWN, {})
    with pytest.raises(grpc.aio.AioRpcError) as denied:
        await gateway.ListStrategies(pb.ListStrategiesRequest(), metadata=secured.bearer("import"))
    assert denied.value.details() == "the token the-import lacks the right run"
    assert error_info(denied.value) == ("PERMISSION_DENIED", ErrorReason.RIGHT_MISSING, {"rights": "run"})


async def test_the_file_is_read_anew_when_it_changes_and_a_broken_one_is_not_taken(
    secured: Secured, secure_channel: grpc.aio.Channel
) -> None:
    gateway = BacktestServiceStub(secure_channel)
    new = make_token()

    async def of_new() -> grpc.StatusCode:
        metadata = (("authorization", f"Bearer {new}"),)
        return await outcome(gateway.ListStrategies(pb.ListStrategiesRequest(), metadata=metadata))

    before = secured.tokens_file.read_text()
    assert await of_new() is UNAUTHENTICATED
    secured.tokens_file.write_text(before + entry("new", new, "run"))
    assert await of_new() is grpc.StatusCode.OK
    # Somebody took the token itself for its hash.
    secured.tokens_file.write_text(before + entry("new", new, "run") + f'[[tokens]]\nsha256 = "{new}"\n')
    assert await of_new() is grpc.StatusCode.OK
    (child,) = (
        child
        for child in psutil.Process().children()
        if child.environ().get("BACKCAST_TOKENS_FILE") == str(secured.tokens_file)
        and child.cmdline()[-2:] == ["serve", "gateway"]
    )
    child.send_signal(signal.SIGHUP)
    secured.tokens_file.unlink()
    assert await of_new() is grpc.StatusCode.OK
    secured.tokens_file.write_text(before)
    assert await of_new() is UNAUTHENTICATED
    log = (secured.logs / "gateway.log").read_text()
    assert "tokens[4].sha256: must be 64 hexadecimal digits" in log
    assert "cannot be read: No such file or directory" in log
    assert new not in log
