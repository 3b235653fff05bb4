"""A Dask cluster as the workers: its scheduler chooses the machine of each call."""

import asyncio
import gc
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar
from urllib.parse import urlsplit

from backcast_engine.errors import ErrorReason, InvalidInput
from services.compute.tasks.errors import WorkerDied
from services.compute.workers.worker import call, call_message
from services.domain.errors import Unavailable

if TYPE_CHECKING:
    from distributed import Client

_Parameters = ParamSpec("_Parameters")
_Value = TypeVar("_Value")

# How long the scheduler may take to answer.
_PATIENCE_S = 5.0
# How often a connection is tried that fails for no other reason than load.
_HANDSHAKES = 5
# How often the connection is checked.
_WATCH_PAUSE_S = 0.5


class DaskCluster(Executor):
    """Calls functions on the cluster of the scheduler at `address` (host:port) while its context lasts.

    Scheduler and workers run in an environment with this version of Backcast. It belongs to the event loop
    that enters it, as WorkerPool does. Where the scheduler is away, calls under way and new ones fail with
    Unavailable until it is back.
    """

    batch_s = 0.1

    def __init__(self, address: str) -> None:
        self._address = address
        self._client: Client | None = None
        self._closed = False
        self._connecting = asyncio.Lock()
        # For each of our futures: the cluster's future, and the connection that it depends on.
        self._under_way: dict[Future[Any], tuple[Future[Any], object]] = {}

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        await self._connected()
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.shutdown(wait=False, cancel_futures=True)
        self._watcher.cancel()
        await asyncio.gather(self._watcher, return_exceptions=True)
        if self._client:
            await asyncio.to_thread(self._client.close)

    async def capacity(self) -> int:
        """Return how many threads the cluster has. Raises Unavailable where it has none or is away."""
        client = await self._connected()
        try:
            threads: int = sum((await asyncio.to_thread(client.nthreads)).values())
        except Exception as error:
            # Mostly OSError, but a client that is closed meanwhile raises other errors too.
            raise self._away() from error
        if client.status != "running":
            raise self._away()
        if not threads:
            raise Unavailable(f"the Dask scheduler at {self._address} has no workers")
        return threads

    def submit(
        self, fn: Callable[_Parameters, _Value], /, *args: _Parameters.args, **kwargs: _Parameters.kwargs
    ) -> Future[_Value]:
        """Have a worker call `fn`, a module's function.

        The future raises what `fn` raised, WorkerDied where the call killed as many workers as the scheduler
        allows, and Unavailable where the connection to the scheduler is lost. Cancelling it withdraws a call
        that has not begun. A call that has begun goes on to its end, as Dask's workers are threads, which
        cannot be stopped; restarting the worker's process would end the calls of others too. Raises
        Unavailable where there is no connection.
        """
        if self._closed:
            raise Unavailable("compute is stopping", reason=ErrorReason.SERVICE_STOPPING, service="compute")
        if not self._client or self._client.status != "running":
            raise self._away()
        # As bytes: Dask inspects arguments, and its scheduler would import what they need.
        theirs = self._executor.submit(call, call_message(fn, args, kwargs))
        ours: Future[_Value] = Future()
        self._under_way[ours] = theirs, self._client.scheduler_comm
        theirs.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._settle, ours))
        ours.add_done_callback(self._forget)
        return ours

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; leaving the context closes the connection."""
        self._closed = True
        for ours, (theirs, _) in list(self._under_way.items()):
            if cancel_futures:
                ours.cancel()
            elif wait:
                # The event loop stands still meanwhile.
                futures.wait([theirs])
                self._settle(ours)

    def _settle(self, ours: Future[Any]) -> None:
        """Copy the result or error of the cluster's future to ours."""
        if ours not in self._under_way:
            return
        theirs, _ = self._under_way[ours]
        if theirs.cancelled():
            # Not by us: a call that we cancel is not under way any more.
            ours.set_exception(self._away())
        elif error := theirs.exception():
            ours.set_exception(_domain_error(error))
        else:
            ours.set_result(theirs.result())

    def _forget(self, ours: Future[Any]) -> None:
        theirs, _ = self._under_way.pop(ours)
        # Closing the client cancels all calls by itself.
        if ours.cancelled() and not self._closed:
            # In a thread: it waits for the thread of Dask's client.
            self._loop.run_in_executor(None, theirs.cancel)

    async def _watch(self) -> None:
        """Fail the calls of a connection that was lost: Dask's client does not always do it."""
        while True:
            await asyncio.sleep(_WATCH_PAUSE_S)
            connection = self._client.scheduler_comm if self._client else None
            for future, (_, its_connection) in list(self._under_way.items()):
                if its_connection is not connection:
                    future.set_exception(self._away())

    async def _connected(self) -> "Client":
        """Return the client, or a new client where the last one has stopped reconnecting."""
        async with self._connecting:
            if self._client is None or self._client.status not in ("running", "connecting"):
                await self._check_listening()
                try:
                    self._client = await asyncio.to_thread(connect, self._address)
                except (OSError, TimeoutError) as error:
                    raise self._away() from error
                self._executor = self._client.get_executor(pure=False)
        return self._client

    async def _check_listening(self) -> None:
        """Raise Unavailable where nobody listens: Dask's client would fail too, but leave a thread behind."""
        address = urlsplit(f"//{self._address}")
        try:
            async with asyncio.timeout(_PATIENCE_S):
                _, writer = await asyncio.open_connection(address.hostname, address.port)
        except OSError as error:
            raise self._away() from error
        writer.close()

    def _away(self) -> Unavailable:
        return Unavailable(f"the Dask scheduler at {self._address} does not answer")


def connect(address: str) -> "Client":
    """Return a client of the scheduler at `address` (host:port).

    Raises InvalidInput without Dask, OSError or TimeoutError where the scheduler does not answer.
    """
    try:
        from distributed import Client  # noqa: PLC0415  # optional, and a second of imports
    except ImportError:
        raise InvalidInput.of(
            "BACKCAST_COMPUTE_EXECUTOR", "needs Dask: pip install 'backcast[dask]'"
        ) from None
    for _ in range(_HANDSHAKES):
        try:
            return Client(f"tcp://{address}", timeout=_PATIENCE_S, set_as_default=False)
        except (AssertionError, OSError, TimeoutError) as error:
            failure = error.with_traceback(None)
        # Dask closes a client that has failed when it is collected: amid the start of another, it deadlocks.
        gc.collect()
        # It asserts that the scheduler's first message comes alone. A busy scheduler sends others with it.
        if not isinstance(failure, AssertionError):
            raise failure
    raise TimeoutError


def _domain_error(error: BaseException) -> Exception:
    from distributed import KilledWorker  # noqa: PLC0415  # see connect

    if isinstance(error, KilledWorker):
        return WorkerDied("several workers died while computing this")
    # The scheduler's error has the ImportError as its cause.
    if isinstance(missing := error.__cause__ or error, ImportError):
        return Unavailable(f"the Dask cluster has another version of Backcast, or none: {missing}")
    return error if isinstance(error, Exception) else RuntimeError(repr(error))
