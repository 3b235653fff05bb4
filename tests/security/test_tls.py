"""TLS between all processes: everything works with the right certificates, and nothing without them."""

import asyncio
import os
from pathlib import Path

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.compute.v1 import compute_service_pb2 as cm
from backcast.compute.v1.compute_service_pb2_grpc import ComputeServiceStub
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.marketdata.v1 import market_data_service_pb2 as md
from backcast.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from backcast_engine.candles import Candles
from services.domain.addresses import host_port
from services.local.ports import free_ports
from services.local.stack import serve_command
from services.rpc.channel import open_channel
from tests.security.certificates import make_files
from tests.security.secured import Secured
from tests.security.test_tokens import import_of


async def test_a_run_goes_through_all_three(
    secured: Secured, secure_channel: grpc.aio.Channel, candles: Candles
) -> None:
    counts = await MarketDataServiceStub(secure_channel).ImportCandles(
        import_of(candles, "TLSUSDT"), metadata=secured.bearer("import")
    )
    assert counts.inserted == len(candles)
    request = pb.RunBacktestsRequest(
        symbols=["TLSUSDT"], spec=BacktestSpec(strategy={"rsi": {}}), cache_mode=pb.CACHE_MODE_BYPASS
    )
    call = BacktestServiceStub(secure_channel).RunBacktests(request, metadata=secured.bearer("run"))
    assert [event.result.symbol async for event in call if event.HasField("result")] == ["TLSUSDT"]


async def test_services_take_each_others_certificates(secured: Secured) -> None:
    async with open_channel(secured.stack.data_address, secured.files.credentials) as channel:
        await MarketDataServiceStub(channel).ListCryptos(md.ListCryptosRequest())
    async with open_channel(secured.stack.compute_address, secured.files.credentials) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            _ = [
                answer
                async for answer in ComputeServiceStub(channel).ComputeBacktests(cm.ComputeBacktestsRequest())
            ]
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
def strangers(secured: Secured, ca: trustme.CA, tmp_path: Path) -> dict[str, grpc.ChannelCredentials | None]:
    """Those who are no services."""
    of_other_ca = make_files(tmp_path / "other", ca, trustme.CA(), "127.0.0.1")
    expired = make_files(tmp_path / "expired", ca, ca, "127.0.0.1", expired=True)
    return {
        "plaintext": None,
        "no certificate": secured.files.credentials_of_nobody,
        "another CA's": of_other_ca.credentials,
        "expired": expired.credentials,
        "does not trust": grpc.ssl_channel_credentials(trustme.CA().cert_pem.bytes()),
    }


async def test_data_and_compute_take_no_calls_from_strangers(
    secured: Secured, strangers: dict[str, grpc.ChannelCredentials | None]
) -> None:
    for address in (secured.stack.data_address, secured.stack.compute_address):
        for who, credentials in strangers.items():
            async with open_channel(address, credentials) as channel:
                # Not even health.
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE, who


async def test_the_gateway_takes_users_without_certificates_but_none_in_plaintext(
    secured: Secured, secure_channel: grpc.aio.Channel
) -> None:
    gateway = BacktestServiceStub(secure_channel)
    assert (
        await gateway.ListStrategies(pb.ListStrategiesRequest(), metadata=secured.bearer("run"))
    ).strategies
    async with open_channel(secured.stack.gateway_address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await BacktestServiceStub(channel).ListStrategies(pb.ListStrategiesRequest())
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


class Gateway:
    """A gateway beside the services, on ports of its own, while its context lasts."""

    def __init__(self, secured: Secured, **variables: object) -> None:
        self.port, self.health_port = free_ports(2)
        self._host = "::1" if variables.get("HOST") == "::1" else "127.0.0.1"
        self._environment = {
            **os.environ,
            "BACKCAST_GATEWAY_PORT": str(self.port),
            "BACKCAST_DATA_ADDRESS": secured.stack.data_address,
            "BACKCAST_COMPUTE_ADDRESS": secured.stack.compute_address,
            "BACKCAST_REDIS_URL": secured.stack.redis_url,
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
    secured: Secured, strangers: dict[str, grpc.ChannelCredentials | None]
) -> None:
    files = {name.removeprefix("BACKCAST_"): value for name, value in secured.files.environment.items()}
    async with Gateway(secured, **files, GATEWAY_CLIENT_CERTIFICATES=1, HOST="0.0.0.0") as gateway:
        assert await cryptos(gateway, secured.files.credentials) is grpc.StatusCode.OK
        for who, credentials in strangers.items():
            assert await cryptos(gateway, credentials) is grpc.StatusCode.UNAVAILABLE, who


@pytest.mark.parametrize("wrong", ["another host's", "expired", "another CA's"])
async def test_nobody_believes_a_gateway_with_a_wrong_certificate(
    secured: Secured, ca: trustme.CA, tmp_path: Path, wrong: str
) -> None:
    host = "gateway.example" if wrong == "another host's" else "127.0.0.1"
    signer = trustme.CA() if wrong == "another CA's" else ca
    files = make_files(tmp_path / "pem", ca, signer, host, expired=wrong == "expired")
    async with Gateway(secured, TLS_CERT_FILE=files.cert, TLS_KEY_FILE=files.key) as gateway:
        trusting = files.credentials_of_nobody
        assert await cryptos(gateway, trusting) is grpc.StatusCode.UNAVAILABLE
        if wrong == "another host's":
            # By that name it is believed.
            named = (("grpc.ssl_target_name_override", host),)
            address = f"127.0.0.1:{gateway.port}"
            async with grpc.aio.secure_channel(address, trusting, named) as channel:
                assert await BacktestServiceStub(channel).ListStrategies(pb.ListStrategiesRequest())


@pytest.mark.parametrize("shown", ["nothing", "another CA's"])
async def test_a_gateway_that_is_a_stranger_reaches_no_service(
    secured: Secured, ca: trustme.CA, tmp_path: Path, shown: str
) -> None:
    files = make_files(tmp_path / "pem", ca, trustme.CA(), "127.0.0.1")
    variables = {"TLS_CERT_FILE": files.cert, "TLS_KEY_FILE": files.key, "TLS_CA_FILE": files.ca}
    async with Gateway(secured, **({} if shown == "nothing" else variables)) as gateway:
        believing = None if shown == "nothing" else grpc.ssl_channel_credentials(files.signer_pem)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async with open_channel(f"127.0.0.1:{gateway.port}", believing) as channel:
                await BacktestServiceStub(channel).ListCryptos(pb.ListCryptosRequest())
    assert caught.value.details() == "the data service does not answer"


async def test_reflection_can_be_switched_off(secured: Secured) -> None:
    listing = [reflection_pb2.ServerReflectionRequest(list_services="")]
    async with (
        Gateway(secured, REFLECTION=0) as gateway,
        open_channel(f"127.0.0.1:{gateway.port}") as channel,
    ):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            _ = [answer async for answer in stub.ServerReflectionInfo(iter(listing))]
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert await BacktestServiceStub(channel).ListStrategies(pb.ListStrategiesRequest())


async def test_probes_need_no_tls_and_get_nothing_but_health(secured: Secured) -> None:
    files = {name.removeprefix("BACKCAST_"): value for name, value in secured.files.environment.items()}
    async with (
        Gateway(secured, **files, TOKENS_FILE=secured.tokens_file, HOST="::1") as gateway,
        open_channel(f"[::1]:{gateway.health_port}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await BacktestServiceStub(channel).ListStrategies(
                pb.ListStrategiesRequest(), metadata=secured.bearer("run")
            )
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
