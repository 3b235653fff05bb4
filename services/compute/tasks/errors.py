"""Errors of tasks, which pass from a worker process to the service. Nothing here may import grpc."""

import pickle
import traceback

from backcast_engine.errors import BackcastError, ErrorReason
from services.domain.errors import Unavailable


class WorkerDied(Unavailable):
    """Worker processes died repeatedly during one call."""

    reason = ErrorReason.WORKER_DIED


def picklable(error: Exception) -> Exception:
    """Return an error that can be pickled; an unexpected error carries its traceback as a note."""
    if isinstance(error, BackcastError):
        return error
    trace = traceback.format_exc()
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(trace)
    return error
