"""`backcast cryptos` and `backcast strategies`."""

import asyncio

from google.protobuf.struct_pb2 import Value
from rich import box
from rich.markup import escape
from rich.table import Table

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.gateway.v1.strategy_description_pb2 import StrategyParameter
from backcast.marketdata.v1.crypto_pb2 import CryptoKind
from services.cli.client.errors import readable_errors
from services.cli.client.gateway_channel import open_gateway, pages_of
from services.cli.views.console import make_console, say
from services.wire.enum_names import names_of


def list_cryptos(gateway: str) -> None:
    """Print all cryptos that have hourly candles."""
    asyncio.run(_list_cryptos(gateway))


def list_strategies(gateway: str) -> None:
    """Print all strategies and their parameters."""
    asyncio.run(_list_strategies(gateway))


async def _list_cryptos(gateway: str) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("crypto", "kind", "first candle", "last candle"):
        table.add_column(heading)
    table.add_column("candles", justify="right")
    table.add_column("", style="dim")
    kinds = names_of(CryptoKind.DESCRIPTOR)
    with readable_errors("gateway", gateway):
        async with open_gateway(gateway) as channel:
            stub = BacktestServiceStub(channel)
            async for page in pages_of(stub.ListCryptos, pb.ListCryptosRequest()):
                for crypto in page.cryptos:
                    table.add_row(
                        crypto.symbol,
                        kinds.get(crypto.kind, "").replace("_", " ").lower(),
                        f"{crypto.first_candle_time.ToDatetime():%Y-%m-%d %H:%M}",
                        f"{crypto.last_candle_time.ToDatetime():%Y-%m-%d %H:%M}",
                        f"{crypto.candle_count:,}",
                        "synthetic" if crypto.synthetic else "",
                    )
    console = make_console()
    if table.row_count:
        console.print(table)
        say(console, f"{table.row_count} cryptos; times are UTC")
    else:
        say(
            console,
            "there are no candles yet: `backcast import PATH` brings some, `backcast sample` makes some up",
        )


async def _list_strategies(gateway: str) -> None:
    with readable_errors("gateway", gateway):
        async with open_gateway(gateway) as channel:
            pages = pages_of(BacktestServiceStub(channel).ListStrategies, pb.ListStrategiesRequest())
            strategies = [strategy async for page in pages for strategy in page.strategies]
    console = make_console()
    for strategy in strategies:
        say(console, f"[bold]{strategy.name}[/bold]  {strategy.summary}")
        grid = Table.grid(padding=(0, 2))
        for parameter in strategy.parameters:
            grid.add_row(
                f"    {parameter.name}",
                _default(parameter.default_value),
                _allowed(parameter),
                parameter.help,
            )
        if strategy.parameters:
            console.print(grid)
        for name, line in (("entry", strategy.entry), ("exit", strategy.exit)):
            if line:
                say(console, f"    [dim]{name}: {escape(line)}[/dim]")


def _default(value: Value) -> str:
    return value.string_value if value.HasField("string_value") else f"{value.number_value:g}"


def _allowed(parameter: StrategyParameter) -> str:
    if parameter.choices:
        return " | ".join(parameter.choices)
    return f"{parameter.minimum:g} to {parameter.maximum:g}"
