"""Commands that run services, and those that operators need for it.

Each imports what it needs when it runs: see `main`.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


class Service(StrEnum):
    """The three services, the page, and the feed."""

    DATA = "data"
    COMPUTE = "compute"
    GATEWAY = "gateway"
    WEB = "web"
    FEED = "feed"


@app.command()
def demo() -> None:
    """Demonstrate Backcast on a made-up market; leaves nothing behind."""
    from services.cli.commands.demo import demo as run_demo

    run_demo()


@app.command()
def up(
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder for data and logs, which survive a restart.")
    ] = None,
    follow: Annotated[
        str | None,
        typer.Option(help="Also fetch the newest candles of this exchange every hour: binance, okx, …"),
    ] = None,
    quote: Annotated[
        str | None, typer.Option(help="With --follow: the quote currency of the pairs; by default USDT.")
    ] = None,
) -> None:
    """Run PostgreSQL, Valkey, the three services and the page on this machine, until Ctrl-C."""
    from services.cli.commands.up import up as run_up
    from services.settings import load_settings

    run_up(load_settings(), data_dir, follow, quote)


@app.command()
def serve(service: Annotated[Service, typer.Argument(help="Service to run.")]) -> None:
    """Run one service, configured by environment variables (BACKCAST_…), until SIGINT or SIGTERM."""
    import asyncio

    from services.domain.process_memory import freeze_objects
    from services.settings import load_settings
    from services.telemetry.logs import configure_logs, failures_logged

    configure_logs(service.value)
    match service:
        case Service.DATA:
            from services.data.app import run as run_service
        case Service.COMPUTE:
            from services.compute.app import run as run_service
        case Service.GATEWAY:
            from services.gateway.app import run as run_service
        case Service.WEB:
            from services.web.app import run as run_service
        case Service.FEED:
            from services.feed.app import run as run_service
    with failures_logged():
        # Here, and not in the event loop: it takes 100 ms.
        freeze_objects()
        asyncio.run(run_service(load_settings()))


@app.command()
def health(
    address: Annotated[str, typer.Argument(help="Address of a service without TLS: host:port.")],
) -> None:
    """Exit with status 0 if the service at ADDRESS is ready; for health checks of containers."""
    import asyncio

    from services.domain.errors import Unavailable
    from services.local.health import is_serving

    if not asyncio.run(is_serving(address)):
        raise Unavailable(f"not ready: {address}")


@app.command()
def token(
    name: Annotated[str, typer.Argument(help="The client's name, in logs and lists of runs.")],
    rights: Annotated[
        str, typer.Option(help="One or more of run, import and admin, separated by commas.")
    ] = "run",
) -> None:
    """Make a token for a client of the gateway; `backcast token NAME >> FILE` adds its hash to a file."""
    from services.cli.commands.token import print_token

    print_token(name, rights)
