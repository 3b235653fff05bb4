"""Structured logs: readable in a terminal, JSON elsewhere; those of libraries too."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from services.domain.errors import BackcastError
from services.telemetry.run_id import current_run_id

# What is looked for first, in the lines of all services at the same place.
_FIRST = ("timestamp", "level", "service", "run_id", "event")


def configure_logs(service: str) -> None:
    """Log to standard error, every line marked with the service's name and the run that it is about."""
    readable = sys.stderr.isatty()
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _marked(service),
    ]
    # Tracebacks are text: with the values of variables, as both could show them, they would tell secrets.
    plain = structlog.dev.ConsoleRenderer(sort_keys=False, exception_formatter=structlog.dev.plain_traceback)
    as_text: list[Processor] = (
        [plain] if readable else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    rendering: list[Processor] = [_in_order, *as_text]
    structlog.configure(
        processors=[*processors, *rendering],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        cache_logger_on_first_use=False,
    )
    _configure_libraries([*processors, structlog.stdlib.ExtraAdder(), _with_logger], rendering)


def _configure_libraries(processors: list[Processor], rendering: list[Processor]) -> None:
    """Have what libraries say by the standard library's logging come out in the same form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=processors,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    handler.addFilter(_is_news)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    threading.excepthook = _log_thread_error


def _is_news(record: logging.LogRecord) -> bool:
    """Leave out what gRPC says of a message that found its reader gone: the call's own end tells that."""
    return not record.getMessage().startswith("ExecuteBatchError")


def _marked(service: str) -> Processor:
    def mark(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        if run_id := current_run_id.get():
            event.setdefault("run_id", run_id)
        return event

    return mark


def _with_logger(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Say which library it is."""
    event["logger"] = event["_record"].name
    return event


def _in_order(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {**{key: event.pop(key) for key in _FIRST if key in event}, **event}


def _log_thread_error(error: Any) -> None:
    structlog.get_logger().error(
        "a thread failed",
        thread=error.thread and error.thread.name,
        exc_info=(error.exc_type, error.exc_value, error.exc_traceback),
    )


@contextmanager
def failures_logged() -> Iterator[None]:
    """End the process with a line of the log where what is done in the context fails."""
    try:
        yield
    except BackcastError as error:
        structlog.get_logger().error(str(error))
        sys.exit(1)
    except Exception:
        structlog.get_logger().exception("this should not happen")
        sys.exit(1)
