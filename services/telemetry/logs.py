"""Structured logs: readable in a terminal, JSON elsewhere; those of libraries too."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from backcast_engine.errors import BackcastError
from services.telemetry.run_id import current_run_id

# Fields that every record begins with, in this order.
_FIRST = ("timestamp", "level", "service", "run_id", "event")


def configure_logs(service: str) -> None:
    """Log to standard error; every record has the service's name and the id of its run."""
    readable = sys.stderr.isatty()
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _marked(service),
    ]
    # Tracebacks are plain text without the values of variables, which could be secrets.
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
    """Format the logs of libraries, which use the standard library's logging, in the same way."""
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
    """Drop gRPC's records about messages whose reader has gone: the end of the call is logged anyway."""
    return not record.getMessage().startswith("ExecuteBatchError")


def _marked(service: str) -> Processor:
    def mark(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        if run_id := current_run_id.get():
            event.setdefault("run_id", run_id)
        return event

    return mark


def _with_logger(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Add the name of the library's logger."""
    event["logger"] = event["_record"].name
    return event


def _in_order(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {**{key: event.pop(key) for key in _FIRST if key in event}, **event}


def _log_thread_error(error: Any) -> None:
    structlog.get_logger().error(
        "thread failed",
        thread=error.thread and error.thread.name,
        exc_info=(error.exc_type, error.exc_value, error.exc_traceback),
    )


@contextmanager
def failures_logged() -> Iterator[None]:
    """If the body fails, log the error and exit with status 1."""
    try:
        yield
    except BackcastError as error:
        structlog.get_logger().error(str(error))
        sys.exit(1)
    except Exception:
        structlog.get_logger().exception("service failed")
        sys.exit(1)
