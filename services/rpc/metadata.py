"""What goes along with a call to another service: the run that it is for, and its trace."""

from services.telemetry.run_id import RUN_ID_KEY, current_run_id
from services.telemetry.tracing import trace_metadata


def outgoing_metadata() -> tuple[tuple[str, str], ...]:
    """Return the metadata for a call that is made for what is being served now."""
    run_id = current_run_id.get()
    return (*(((RUN_ID_KEY, run_id),) if run_id else ()), *trace_metadata())
