"""`python -m tests.bench.engine`: how fast the engine is, next to a bare loop and to other backtesters.

Timings are never tests: they depend on the machine, and on what else it does. It leaves nothing behind.
"""

import argparse
import asyncio

from rich.console import Console

from services.cli.views.console import make_console, say
from services.compute.workers.worker import KEPT_BYTES
from services.domain.process_memory import keep_freed_memory
from services.local.interrupts import Interrupts
from tests.bench.engine.gateway import gateway
from tests.bench.engine.kernel import kernel
from tests.bench.engine.peers import load_peers
from tests.bench.engine.single import single
from tests.bench.engine.sweep import sweep
from tests.bench.machine import machine_lines

_ROUNDS = 7
_SECTIONS = ("kernel", "single", "sweep", "gateway")


async def bench(sections: list[str], rounds: int, console: Console) -> None:
    """Measure `rounds` rounds of each section, after one that warms everything up, and print them."""
    # As a worker does.
    keep_freed_memory(KEPT_BYTES)
    with Interrupts():
        peers = load_peers(console)
        if "kernel" in sections:
            (await kernel(rounds, peers, console)).print(console)
        if "single" in sections:
            (await single(rounds, console)).print(console)
        if "sweep" in sections:
            (await sweep(rounds, peers, console)).print(console)
        if "gateway" in sections:
            (await gateway(rounds, console)).print(console)
        say(console, "\n".join(machine_lines()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.engine", description=__doc__)
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help=f"of {', '.join(_SECTIONS)}; default all"
    )
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"how many rounds; default {_ROUNDS}")
    arguments = parser.parse_args()
    if unknown := set(arguments.sections) - set(_SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    asyncio.run(bench(arguments.sections or list(_SECTIONS), arguments.rounds, make_console()))
