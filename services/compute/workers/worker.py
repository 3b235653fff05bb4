"""What runs in the worker processes: any function of a module, by name. Nothing here may import grpc."""

import os
import pickle
import select
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from io import BufferedRWPair
from socket import socket
from threading import Thread
from typing import Any

from services.compute.workers.memory import keep_freed_memory
from services.domain.errors import BackcastError, ErrorReason, Unavailable

# In both directions a message is its length as so many bytes, little-endian, and then as many bytes. The
# worker's first one is empty: it has imported and compiled everything.
LENGTH_BYTES = 8


class WorkerDied(Unavailable):
    """The workers' processes died, again and again, while they did this."""

    reason = ErrorReason.WORKER_DIED


def call_message(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """Return the message that has `fn` called; it and the arguments must be picklable."""
    return pickle.dumps((fn, args, kwargs))


def call(message: bytes) -> Any:
    """Do what a message of `call_message` says."""
    fn, args, kwargs = pickle.loads(message)
    return fn(*args, **kwargs)


def work(service: socket) -> None:
    """Answer one message after the other until the service closes the connection, or dies."""
    # Ctrl-C is the service's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    Thread(target=_end_with, args=(service.dup(),), daemon=True).start()
    with suppress(ConnectionError), service, service.makefile("rwb") as stream:
        _send(stream, b"")
        while length := stream.read(LENGTH_BYTES):
            _send(stream, _answer(stream.read(int.from_bytes(length, "little"))))


def _end_with(service: socket) -> None:
    """End this process with the service: what it is at, nobody waits for any more."""
    poll = select.poll()
    # Nothing is asked for: that the other side has hung up is always told.
    poll.register(service, 0)
    poll.poll()
    os._exit(0)


def _send(stream: BufferedRWPair, message: bytes) -> None:
    stream.write(len(message).to_bytes(LENGTH_BYTES, "little"))
    stream.write(message)
    stream.flush()


def _answer(message: bytes) -> bytes:
    """Return whether the call succeeded, and what it returned or raised."""
    try:
        return pickle.dumps((True, call(message)))
    except Exception as error:
        return pickle.dumps((False, portable(error)))


def portable(error: Exception) -> Exception:
    """Return an error that can be pickled; an unexpected one takes its traceback with it, as a note."""
    if isinstance(error, BackcastError):
        return error
    trace = traceback.format_exc()
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(trace)
    return error
