"""`backcast demo`: starts everything on a made-up market, runs three backtests, and leaves nothing behind."""

import asyncio
import tempfile
from pathlib import Path

from rich.console import Console

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from services.cli.commands.run import show_run
from services.cli.commands.sample import write_sample_market
from services.cli.options.strategy import strategy_message
from services.cli.views.console import make_console, say
from services.local.interrupts import Interrupts
from services.local.stack import LocalStack, StackSettings

_NEXT = """\
[bold]Next commands[/bold]
  [green].venv/bin/backcast up[/green]            starts the services, in a terminal of its own,
                                and the page: http://127.0.0.1:8080
  [green].venv/bin/backcast sample[/green]        imports this market
  [green].venv/bin/backcast import PATH…[/green]  imports real candles: CSV, Binance, Kraken, freqtrade
  [green].venv/bin/backcast strategies[/green]    lists the strategies
  [green].venv/bin/backcast run ma_cross --param fast=10 --symbols SYN001USDT --detail trades[/green]"""


def demo() -> None:
    """Start everything, show three runs, and stop."""
    asyncio.run(_demo(make_console()))


# Rows of a table; all three runs fit on one screen.
_ROWS = 10


async def _demo(console: Console) -> None:
    request = pb.RunBacktestsRequest(spec=BacktestSpec(strategy=strategy_message("rsi", [])))
    with Interrupts(), tempfile.TemporaryDirectory(prefix="backcast-demo-") as folder:
        console.rule("starting PostgreSQL, Valkey and the three services")
        # Free ports: a `backcast up` may be running.
        settings = StackSettings(Path(folder), 0, 0, 0, database_url=None, redis_url=None)
        async with LocalStack(settings) as stack:
            await write_sample_market(stack.gateway_address, console)
            console.rule("the first run: compute fetches the candles and computes every backtest")
            await show_run(request, stack.gateway_address, console, _ROWS)
            console.rule("the same run again: all results come from the cache")
            await show_run(request, stack.gateway_address, console, _ROWS)
            console.rule("another run: compute already has the candles")
            await show_run(
                pb.RunBacktestsRequest(spec=BacktestSpec(strategy=strategy_message("rsi", ["period=7"]))),
                stack.gateway_address,
                console,
                _ROWS,
            )
            console.rule("stopping")
        say(console, _NEXT)
