"""The process: ready, stopped, its port taken; and as a part of `backcast up`'s stack."""

import socket
from contextlib import ExitStack
from pathlib import Path

from services.local.health import is_serving
from services.local.ports import free_ports
from services.local.stack import LocalStack
from services.web.server import listen
from tests.cli.conftest import Cli
from tests.end_to_end.one_service import OneService, service_beside
from tests.web.clients import Page


async def test_it_says_that_it_is_healthy(page: Page) -> None:
    answer = await page.send("GET", "/healthz")
    assert (answer.status, answer.body) == (200, b"ok\n")


async def test_probes_ask_it_as_they_ask_the_services(stack: LocalStack, short_folder: Path) -> None:
    (port,) = free_ports(1)
    async with service_beside(stack, "web", short_folder / "probed", health_port=port):
        assert await is_serving(f"127.0.0.1:{port}")
        assert (await Cli(stack)("health", f"127.0.0.1:{port}")).status == 0
    assert not await is_serving(f"127.0.0.1:{port}")


def test_connections_send_the_parts_of_an_answer_at_once() -> None:
    with ExitStack() as sockets:
        for listener in listen(sockets, "localhost", 0):
            client = sockets.enter_context(socket.create_connection(listener.getsockname()[:2]))
            accepted = sockets.enter_context(listener.accept()[0])
            assert accepted.getpeername()[1] == client.getsockname()[1]
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


async def test_a_port_that_is_taken_ends_the_start_with_a_sentence(
    web: OneService, stack: LocalStack
) -> None:
    failed = await Cli(stack)("serve", "web", BACKCAST_WEB_PORT=web.address.rpartition(":")[2])
    assert failed.status == 1
    assert f"cannot listen on {web.address}: is the port taken?" in failed.err


async def test_a_host_that_is_open_ends_the_start_with_the_variable(stack: LocalStack) -> None:
    failed = await Cli(stack)("serve", "web", BACKCAST_HOST="0.0.0.0", BACKCAST_WEB_PORT="0")
    assert failed.status == 1
    assert "BACKCAST_HOST: '0.0.0.0' can be reached by other machines" in failed.err


async def test_calls_are_counted(stack: LocalStack, short_folder: Path) -> None:
    (port,) = free_ports(1)
    async with service_beside(stack, "web", short_folder / "counted", web_metrics_port=port) as web:
        page = Page(web.address)
        await page.post("ListStrategies")
        await page.post("CancelRun", {"runId": "nobody"})
        text = (await Page(f"127.0.0.1:{port}").send("GET", "/metrics")).body.decode()
    for method, code in (("BacktestService/ListStrategies", "OK"), ("RunService/CancelRun", "NOT_FOUND")):
        assert (
            f'backcast_rpc_duration_seconds_count{{code="{code}",method="backcast.gateway.v1.{method}"}} 1.0'
            in text
        )
