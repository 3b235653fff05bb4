"""The id of the current run, in logs, spans and the metadata of calls between services.

Apart from logs and tracing, which use it: requests are checked without them.
"""

import re
from contextvars import ContextVar

RUN_ID_KEY = "backcast-run-id"
"""Key of the run id in the metadata of calls."""

_RUN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

current_run_id: ContextVar[str] = ContextVar("current_run_id", default="")
"""The id of the run that is being served; "" if there is none."""


def is_run_id(text: str) -> bool:
    """Return whether `text` is 1 to 64 letters, digits, '-', '_' and '.'."""
    return bool(_RUN_ID.fullmatch(text))
