"""What a process logs, in a terminal and elsewhere: its own lines and those of libraries."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]

# Everything that may be said: by us, of a run, by a library, a failure, a warning, a thread's end, a task's.
SAYS = """
import asyncio, gc, logging, threading, warnings
import structlog
from services.gateway.runs.record import RunRecord, record_run
from services.domain.errors import Unavailable
from services.telemetry.logs import configure_logs, failures_logged
from services.telemetry.run_id import current_run_id

configure_logs("gateway")
log = structlog.get_logger()
log.info("service started", port=1)
current_run_id.set("run-1")
log.warning("cache unavailable, run continues without it", reason="the cache does not answer")
logging.getLogger("grpc").error("it went %s", "wrong")
logging.getLogger("grpc._cython.cygrpc").error("ExecuteBatchError raised in core by servicer method [x]")
logging.getLogger("quiet").info("nobody wants to know")
warnings.warn("old")
def fail():
    secret = "hidden"
    raise ValueError("of a bug")
try:
    fail()
except ValueError:
    log.exception("call failed")
thread = threading.Thread(target=fail, name="scrape"); thread.start(); thread.join()
async def forgets():
    async def fails():
        fail()
    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
asyncio.run(forgets()); gc.collect()
record_run(RunRecord("run-2", "RunBacktests", "ann", "rsi", "completed", 211, 210, 1, 200, 4,
               {"plan": 0.00123456, "cache": 0.004, "first_result": 0.008, "total": 0.0317}))
with failures_logged():
    raise Unavailable("cannot listen on 127.0.0.1:1: is the port taken?")
"""


def test_every_line_outside_of_a_terminal_is_json() -> None:
    said = subprocess.run(
        [sys.executable, "-c", SAYS], check=False, cwd=PROJECT, capture_output=True, text=True
    )
    assert said.returncode == 1
    lines = [json.loads(line) for line in said.stderr.splitlines()]
    assert [line["event"] for line in lines] == [
        "service started",
        "cache unavailable, run continues without it",
        "it went wrong",
        lines[3]["event"],
        "call failed",
        "thread failed",
        lines[6]["event"],
        "run ended",
        "cannot listen on 127.0.0.1:1: is the port taken?",
    ]
    assert "UserWarning: old" in lines[3]["event"]
    assert lines[6]["event"].startswith("Task exception was never retrieved")
    assert {line["service"] for line in lines} == {"gateway"}
    # A thread has no run; the task was a part of one.
    assert [line.get("run_id") for line in lines] == [None, *4 * ["run-1"], None, "run-1", "run-2", "run-1"]
    for line in (lines[4], lines[5], lines[6]):
        assert "ValueError: of a bug" in line["exception"]
        assert "hidden" not in line["exception"]
    assert lines[2]["logger"] == "grpc"
    assert {name: lines[7][name] for name in list(lines[7])[3:]} == {
        "run_id": "run-2",
        "event": "run ended",
        "method": "RunBacktests",
        "client": "ann",
        "strategy": "rsi",
        "outcome": "completed",
        "total": 211,
        "completed": 210,
        "failed": 1,
        "from_cache": 200,
        "shared": 4,
        "plan_s": 0.0012,
        "cache_s": 0.004,
        "first_result_s": 0.008,
        "total_s": 0.0317,
    }


def test_a_log_in_a_terminal_can_be_read() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", SAYS], cwd=PROJECT, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 4096):
            said += part
    except OSError:
        pass  # so Linux reports the end of a terminal
    os.close(ours)
    assert process.wait() == 1
    text = said.decode()
    assert "{" not in text.splitlines()[0]
    assert "the cache does not answer" in text
    assert "\nValueError: of a bug" in text.replace("\r", "")
    # No values of variables, as rich tracebacks have them.
    assert "hidden" not in text
