"""Finds the line of a log with the reason why its process ended."""

import json
import re
from pathlib import Path

_TAIL_BYTES = 64 * 1024
# PostgreSQL logs "FATAL: …" and then, every time, that it is shut down.
_REASON = re.compile(r"\b(FATAL|PANIC|error):")


def exit_reason(log: Path) -> str:
    """Return the last line of a log that is marked as an error, or else the last line."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        return error_line(file.read().decode(errors="replace"))


def error_line(text: str) -> str:
    """Return the last line of `text` that is marked as an error, or else the last line.

    Of a structured record, it is only the event.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "its log is empty"
    line = next((line for line in reversed(lines) if _REASON.search(line)), lines[-1])
    try:
        return str(json.loads(line)["event"])
    except (ValueError, KeyError, TypeError):
        return line
