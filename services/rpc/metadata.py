"""Metadata of calls to other services: run id and trace."""

from services.telemetry.run_id import RUN_ID_KEY, current_run_id
from services.telemetry.tracing import trace_metadata


def outgoing_metadata() -> tuple[tuple[str, str], ...]:
    """Return the metadata for a call on behalf of the call that is being served."""
    run_id = current_run_id.get()
    return (*(((RUN_ID_KEY, run_id),) if run_id else ()), *trace_metadata())
