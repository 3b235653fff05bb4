"""Tells the log of every run."""

import structlog

from services.gateway.run_report import RunReport

_log = structlog.get_logger()


def tell(report: RunReport) -> None:
    """Log a run that has ended, or was left."""
    _log.info("run", run_id=report.run_id, outcome=report.outcome)
