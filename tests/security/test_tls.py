"""TLS on every hop: all works with the right certificates, and nothing without."""

import asyncio
import os
from pathlib import Path

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from backcast.compute.v1 import compute_service_pb2 as cm
from backcast.compute.v1.compute_service_pb2_grpc import ComputeServiceStub
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.marketdata.v1 import market_data_service_pb2 as md
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from services.local.ports import free_ports
from services.local.stack import serve_command
from services.shared.addresses import host_port
from services.shared.candles import Candles
from services.shared.rpc_channel import open_channel
from tests.security.certificates import Files, make_files
from tests.security.conftest import Shut
from tests.security.test_tokens import import_of


async def test_a_run_goes_through_all_three(
    shut: Shut, secure_channel: grpc.aio.Channel, candles: Candles
) -> None:
    counts = await MarketDataServiceStub(secure_channel).ImportCandles(
        import_of(candles, "TLSUSDT"), metadata=shut.bearer("import")
    )
    assert counts.inserted == len(candles)
    request = pb.RunBacktestsRequest(
        symbols=["TLSUSDT"], strategy={"rsi": {}}, cache_mode=pb.CACHE_MODE_BYPASS
    )
    call = BacktestServiceStub(secure_channel).RunBacktests(request, metadata=shut.bearer("run"))
    assert [event.result.symbol async for event in call if event.HasField("result")] == ["TLSUSDT"]


async def test_services_take_each_others_certificates(shut: Shut) -> None:
    async with open_channel(shut.stack.data_address, shut.files.credentials) as channel:
        await MarketDataServiceStub(channel).ListCryptos(md.ListCryptosRequest())
    async with open_channel(shut.stack.compute_address, shut.files.credentials) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            _ = [
                answer
                async for answer in ComputeServiceStub(channel).ComputeBacktests(cm.ComputeBacktestsRequest())
            ]
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
def strangers(shut: Shut, ca: trustme.CA, tmp_path: Path) -> dict[str, grpc.ChannelCredentials | None]:
    """Those who are no services."""
    of_other_ca = make_files(tmp_path / "other", ca, trustme.CA(), "127.0.0.1")
    expired = make_files(tmp_path / "expired", ca, ca, "127.0.0.1", expired=True)
    return {
        "plaintext": None,
        "no certificate": shut.files.credentials_of_nobody,
        "another CA's": of_other_ca.credentials,
        "expired": expired.credentials,
        "does not trust": grpc.ssl_channel_credentials(trustme.CA().cert_pem.bytes()),
    }


async def test_data_and_compute_take_no_calls_from_strangers(
    shut: Shut, strangers: dict[str, grpc.ChannelCredentials | None]
) -> None:
    for address in (shut.stack.data_address, shut.stack.compute_address):
        for who, credentials in strangers.items():
            async with open_channel(address, credentials) as channel:
                # Not even health.
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE, who


async def test_the_gateway_takes_users_without_certificates_but_none_in_plaintext(
    shut: Shut, secure_channel: grpc.aio.Channel
) -> None:
    gateway = BacktestServiceStub(secure_channel)
    assert (await gateway.ListStrategies(pb.ListStrategiesRequest(), metadata=shut.bearer("run"))).strategies
    async with open_channel(shut.stack.gateway_address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await BacktestServiceStub(channel).ListStrategies(pb.ListStrategiesRequest())
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


class Gateway:
    """A gateway beside the services, on ports of its own, while its context lasts."""

    def __init__(self, shut: Shut, **variables: object) -> None:
        self.port, self.health_port = free_ports(2)
        self._host = "::1" if variables.get("HOST") == "::1" else "127.0.0.1"
        self._environment = {
            **os.environ,
            "BACKCAST_GATEWAY_PORT": str(self.port),
            "BACKCAST_DATA_ADDRESS": shut.stack.data_address,
            "BACKCAST_COMPUTE_ADDRESS": shut.stack.compute_address,
            "BACKCAST_REDIS_URL": shut.stack.redis_url,
            "BACKCAST_HEALTH_PORT": str(self.health_port),
            **{f"BACKCAST_{name}": str(value) for name, value in variables.items()},
        }

    async def __aenter__(self) -> "Gateway":
        self._process = await asyncio.create_subprocess_exec(
            *serve_command("gateway"), env=self._environment, stderr=asyncio.subprocess.DEVNULL
        )
        async with open_channel(host_port(self._host, self.health_port)) as channel:
            await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=60
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.terminate()
        assert await self._process.wait() == 0


async def cryptos(gateway: Gateway, credentials: grpc.ChannelCredentials | None) -> grpc.StatusCode:
    """What asking for cryptos, which the data service has, ends with."""
    async with open_channel(f"127.0.0.1:{gateway.port}", credentials) as channel:
        try:
            await BacktestServiceStub(channel).ListCryptos(pb.ListCryptosRequest())
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


async def test_the_gateway_can_demand_certificates_instead_of_tokens(
    shut: Shut, strangers: dict[str, grpc.ChannelCredentials | None]
) -> None:
    files = {name.removeprefix("BACKCAST_"): value for name, value in shut.files.environment.items()}
    async with Gateway(shut, **files, GATEWAY_CLIENT_CERTIFICATES=1, HOST="0.0.0.0") as gateway:
        assert await cryptos(gateway, shut.files.credentials) is grpc.StatusCode.OK
        for who, credentials in strangers.items():
            assert await cryptos(gateway, credentials) is grpc.StatusCode.UNAVAILABLE, who


@pytest.mark.parametrize("wrong", ["name", "expired", "another CA's", "no certificate"])
async def test_a_gateway_with_a_wrong_certificate_reaches_nobody(
    shut: Shut, ca: trustme.CA, tmp_path: Path, wrong: str
) -> None:
    """Each hop checks both ends: here it is the client that is wrong, or the server that it finds."""
    files: dict[str, object] = {"TLS_CA_FILE": shut.files.ca}
    match wrong:
        case "name":
            # A data service that shows the certificate of another host.
            await _runs_only_by_its_name(shut, make_files(tmp_path / "pem", ca, ca, "data.example"))
            return
        case "expired":
            made = make_files(tmp_path / "pem", ca, ca, "127.0.0.1", expired=True)
        case "another CA's":
            made = make_files(tmp_path / "pem", ca, trustme.CA(), "127.0.0.1")
        case _:
            async with Gateway(shut, TLS=1) as gateway:
                assert await cryptos(gateway, None) is grpc.StatusCode.UNAVAILABLE
            return
    files |= {"TLS_CERT_FILE": made.cert, "TLS_KEY_FILE": made.key}
    async with Gateway(shut, **files) as gateway:
        lenient = grpc.ssl_channel_credentials(made.ca.read_bytes())
        assert await cryptos(gateway, lenient) is grpc.StatusCode.UNAVAILABLE


async def _runs_only_by_its_name(shut: Shut, files: Files) -> None:
    variables = {name.removeprefix("BACKCAST_"): value for name, value in files.environment.items()}
    async with Gateway(shut, **variables) as gateway:
        assert await cryptos(gateway, files.credentials_of_nobody) is grpc.StatusCode.UNAVAILABLE
        options = (("grpc.ssl_target_name_override", "data.example"),)
        async with grpc.aio.secure_channel(
            f"127.0.0.1:{gateway.port}", files.credentials_of_nobody, options
        ) as channel:
            assert await BacktestServiceStub(channel).ListCryptos(pb.ListCryptosRequest())


async def test_probes_need_no_tls_and_get_nothing_but_health(shut: Shut) -> None:
    files = {name.removeprefix("BACKCAST_"): value for name, value in shut.files.environment.items()}
    async with (
        Gateway(shut, **files, TOKENS_FILE=shut.tokens_file, HOST="::1") as gateway,
        open_channel(f"[::1]:{gateway.health_port}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await BacktestServiceStub(channel).ListStrategies(
                pb.ListStrategiesRequest(), metadata=shut.bearer("run")
            )
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
