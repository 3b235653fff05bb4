"""The main function of worker processes, which call functions of modules. Nothing here may import grpc."""

import os
import pickle
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from io import BufferedRWPair
from socket import socket
from threading import Thread
from typing import Any

from services.compute.tasks.errors import picklable
from services.domain.process_memory import keep_freed_memory

# In both directions a message is its length, little-endian in so many bytes, and then its bytes. The worker's
# first message is empty: it has imported and compiled everything.
LENGTH_BYTES = 8

# More than the columns of any backtest: a worker keeps the memory of its peak.
KEPT_BYTES = 1 << 30


def call_message(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """Return the message of a call; the function and its arguments must be picklable."""
    return pickle.dumps((fn, args, kwargs))


def call(message: bytes) -> Any:
    """Run the call of a message of `call_message`."""
    fn, args, kwargs = pickle.loads(message)
    return fn(*args, **kwargs)


def work(service: socket) -> None:
    """Run the calls of the messages one after the other, until the service closes the connection or dies."""
    # Ctrl-C reaches the whole process group; the service decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory(KEPT_BYTES)
    Thread(target=_end_with, args=(service.dup(),), daemon=True).start()
    with suppress(ConnectionError), service, service.makefile("rwb") as stream:
        _send(stream, b"")
        while length := stream.read(LENGTH_BYTES):
            _send(stream, _answer(stream.read(int.from_bytes(length, "little"))))


def _end_with(service: socket) -> None:
    """End this process when the service ends, even in the middle of a call."""
    poll = select.poll()
    # No event is asked for: poll always reports that the other side has hung up.
    poll.register(service, 0)
    poll.poll()
    os._exit(0)


def _send(stream: BufferedRWPair, message: bytes) -> None:
    stream.write(len(message).to_bytes(LENGTH_BYTES, "little"))
    stream.write(message)
    stream.flush()


def _answer(message: bytes) -> bytes:
    """Return, pickled, whether the call succeeded, and what it returned or raised."""
    try:
        return pickle.dumps((True, call(message)))
    except Exception as error:
        return pickle.dumps((False, picklable(error)))
