"""`backcast serve`: one service, for containers."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from services.shared.errors import BackcastError
from services.shared.logs import configure_logs
from services.shared.settings import load_settings


class Service(StrEnum):
    """The three services."""

    DATA = "data"
    COMPUTE = "compute"
    GATEWAY = "gateway"


def serve(service: Annotated[Service, typer.Argument(help="Which service.")]) -> None:
    """Run one service, configured by environment (BACKCAST_…), until SIGINT or SIGTERM."""
    configure_logs(service.value)
    match service:
        case Service.DATA:
            from services.data.app import run
        case Service.COMPUTE:
            from services.compute.app import run
        case Service.GATEWAY:
            from services.gateway.app import run
    try:
        asyncio.run(run(load_settings()))
    except BackcastError as error:
        typer.echo(f"backcast serve {service.value}: {error}", err=True)
        raise typer.Exit(1) from None
