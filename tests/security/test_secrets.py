"""Passwords in URLs, tokens and their hashes are in no log and no error, whatever fails."""

import asyncio
import os
import sys
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from services.gateway.auth.tokens import hash_of, make_token
from services.local.ports import free_ports
from services.rpc.channel import open_channel
from tests.security.secured import entry

pytestmark = pytest.mark.servers

PASSWORD = "pa55w0rd"
NOWHERE = {
    "BACKCAST_DATABASE_URL": f"postgresql://user:{PASSWORD}@127.0.0.1:1/db",
    "BACKCAST_REDIS_URL": f"redis://user:{PASSWORD}@127.0.0.1:1/0",
    "BACKCAST_DATA_ADDRESS": "127.0.0.1:1",
    "BACKCAST_COMPUTE_ADDRESS": "127.0.0.1:1",
}


async def start(*arguments: str, **variables: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli.main", *arguments),
        env={**os.environ, **NOWHERE, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def said(*arguments: str, **variables: str) -> str:
    out, _ = await (await start(*arguments, **variables)).communicate()
    return out.decode()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:{PASSWORD}@127.0.0.1:1/db",
        f"postgresql://user:{PASSWORD}@127.0.0.1:port/db",
        f"postgres//user:{PASSWORD}@127.0.0.1",
        f"postgresql://user:{PASSWORD}@no.such.host.invalid/db",
        f"postgresql://127.0.0.1:1/db?password={PASSWORD}&nonsense=1",
    ],
)
async def test_the_error_of_an_absent_database_contains_no_password(url: str) -> None:
    for arguments in (("serve", "data"), ("db", "stats")):
        text = await said(*arguments, BACKCAST_DATABASE_URL=url, BACKCAST_DATA_PORT="0")
        assert text
        assert PASSWORD not in text


@pytest.mark.parametrize("url", [f"redis//:{PASSWORD}@x", f"redis://:{PASSWORD}@127.0.0.1:port/0"])
async def test_the_error_of_a_malformed_cache_url_contains_no_password(url: str) -> None:
    text = await said("serve", "gateway", BACKCAST_REDIS_URL=url, BACKCAST_GATEWAY_PORT="0")
    assert text
    assert PASSWORD not in text


async def test_a_gateway_whose_upstreams_are_away_logs_no_secret(tmp_path: Path) -> None:
    token, stranger = make_token(), make_token()
    file = tmp_path / "tokens.toml"
    file.write_text(entry("someone", token, "run", "import"))
    (port,) = free_ports(1)
    gateway = await start("serve", "gateway", BACKCAST_GATEWAY_PORT=str(port), BACKCAST_TOKENS_FILE=str(file))
    errors = []
    async with open_channel(f"127.0.0.1:{port}") as channel:
        await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=60
        )
        stub = BacktestServiceStub(channel)
        for shown in (token, stranger, f"{token}x", ""):
            metadata = (("authorization", f"Bearer {shown}"),)
            for request in (
                pb.RunBacktestsRequest(spec=BacktestSpec(strategy={"rsi": {}})),
                pb.RunBacktestsRequest(symbols=["!"]),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    _ = [event async for event in stub.RunBacktests(request, metadata=metadata)]
                errors.append(str(caught.value))
        file.write_text(
            entry("someone", token, "run") + f'[[tokens]]\nname = "{stranger}"\nsha256 = "{stranger}"'
        )
        await asyncio.gather(
            stub.ListStrategies(pb.ListStrategiesRequest(), metadata=(("authorization", f"Bearer {token}"),))
        )
    gateway.terminate()
    out, _ = await gateway.communicate()
    log = out.decode()
    assert "token file rejected, previous tokens stay valid" in log
    assert "call not served" in log
    for secret in (PASSWORD, token, stranger, hash_of(token), hash_of(stranger)):
        assert secret not in log
        assert not [error for error in errors if secret in error]
