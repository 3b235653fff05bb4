"""Output of `run` and `verify`: counts, failures, and a run that does not reach its end."""

import asyncio
import io
import socket
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from rich.console import Console
from rich.progress import Progress

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.strategy_pb2 import Rsi, Strategy
from backcast.gateway.v1 import backtest_service_pb2 as pb
from services.cli.commands.verify import show_verification
from services.cli.views.console import CountColumn
from services.cli.views.run import RunScreen
from services.domain.counted import counted


def console(width: int = 160) -> Console:
    return Console(file=io.StringIO(), width=width)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_failures_of_one_reason_are_one_line() -> None:
    out = console()
    with RunScreen(out) as view:
        for number in range(1200):
            failure = {"symbol": f"C{number:04}", "status": {"message": "there are no candles"}}
            view.show(ParseDict({"failure": failure}, pb.RunBacktestsResponse()))
        summary: dict[str, Any] = {"progress": {"failed": 1200, "total": 1200}}
        view.show(ParseDict({"summary": summary}, pb.RunBacktestsResponse()))
    assert text_of(out).splitlines() == [
        "0 of 1,200 in 0.000 s, 0 from the cache, 1,200 failed",
        "1,200 cryptos (C0000, C0001, C0002, C0003, C0004, …): there are no candles",
    ]


@pytest.mark.parametrize(
    ("count", "noun", "words"),
    [
        (1, "crypto", "1 crypto"),
        (1200, "crypto", "1,200 cryptos"),
        (2, "history", "2 histories"),
    ],
)
def test_one_crypto_is_written_in_the_singular(count: int, noun: str, words: str) -> None:
    assert counted(count, noun) == words


def test_progress_groups_digits_by_thousands() -> None:
    progress = Progress(CountColumn())
    progress.add_task("", total=None)
    progress.add_task("", total=4000, completed=1200)
    assert [str(CountColumn().render(task)) for task in progress.tasks] == ["0/?", "1,200/4,000"]


async def test_ctrl_c_in_verify_says_stopped() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        out = console()
        request = pb.RunBacktestsRequest(spec=BacktestSpec(strategy=Strategy(rsi=Rsi())))
        verifying = asyncio.create_task(
            show_verification(request, f"127.0.0.1:{silent.getsockname()[1]}", 8, out)
        )
        await asyncio.sleep(0)
        verifying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await verifying
    # Nothing else, an empty line least of all.
    assert text_of(out) == "stopped: 0 of 18 histories done\n"
