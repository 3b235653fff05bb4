"""Runs a service, and writes to standard error each callback that keeps its event loop from others.

Processor time counts: on a busy machine, everything takes long by the clock.
"""

import asyncio.events
import sys
import time

from services.cli.main import main

SAYS = "kept the loop for"
LIMIT_S = 0.05


def watch() -> None:
    run = asyncio.events.Handle._run

    def timed_run(handle: asyncio.events.Handle) -> None:
        what = repr(handle)
        began_s = time.thread_time()
        run(handle)
        took_s = time.thread_time() - began_s
        if took_s > LIMIT_S:
            print(f"{SAYS} {1000 * took_s:.0f} ms: {what}", file=sys.stderr, flush=True)

    asyncio.events.Handle._run = timed_run  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    watch()
    main()
