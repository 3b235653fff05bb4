"""What runs, sweeps and portfolios show of themselves without waiting, whoever reads them."""

from typing import ClassVar

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest
from backcast.metric_tables import in_short
from backcast.portfolio_log import PortfolioLog
from backcast.portfolio_sweep_log import PortfolioSweepLog
from backcast.result import metrics_of
from backcast.run_log import Progress, RunLog
from backcast.sweep_events import BaseSweepLog
from backcast.sweep_log import SweepLog


class JobView:
    """What has come of a run, a sweep or a portfolio."""

    _kind: ClassVar[str]

    def __init__(self, log: RunLog | PortfolioLog | BaseSweepLog) -> None:
        self._log = log
        self._is_cancelled = False

    @property
    def id(self) -> str:
        """The id, for the server's logs; that of a run also for `client.watch`."""
        return self._log.run_id

    @property
    def progress(self) -> Progress:
        """The progress so far: of a sweep in backtests or portfolios, else in cryptos."""
        return self._log.progress

    @property
    def is_complete(self) -> bool:
        """True if everything has come."""
        return self._log.is_complete


class RunView(JobView):
    """What has come of a run."""

    _kind = "run"
    _log: RunLog

    @property
    def request(self) -> pb.RunBacktestsRequest:
        """The request with every default filled in."""
        return self._log.request

    @property
    def left_out(self) -> list[str]:
        """Symbols of the cryptos that have no candle in the window."""
        return list(self._log.left_out)

    def __len__(self) -> int:
        """Return the number of cryptos of the run."""
        return self._log.total

    def __repr__(self) -> str:
        progress = self.progress
        failed = f", {progress.failed} failed" if progress.failed else ""
        return f"<Run {self.id}: {progress.done} of {progress.total} cryptos{failed}>"

    def _repr_html_(self) -> str:
        from backcast.html import run_html  # noqa: PLC0415  # notebooks only

        return run_html(self._log)


class PortfolioView(JobView):
    """What has come of a portfolio."""

    _kind = "portfolio"
    _log: PortfolioLog

    @property
    def request(self) -> RunPortfolioRequest:
        """The request with every default filled in."""
        return self._log.request

    @property
    def left_out(self) -> list[str]:
        """Symbols of the cryptos that have no candle in the window."""
        return list(self._log.left_out)

    def __len__(self) -> int:
        """Return the number of cryptos of the portfolio."""
        return self._log.total

    def __repr__(self) -> str:
        if self._log.view is not None:
            return f"<Portfolio {self.id}: {in_short(metrics_of(self._log.view.metrics))}>"
        return f"<Portfolio {self.id}: signals of {self.progress.done} of {self.progress.total} cryptos>"


class PortfolioSweepView(JobView):
    """What has come of a sweep over portfolios."""

    _kind = "sweep"
    _log: PortfolioSweepLog

    def __repr__(self) -> str:
        return f"<PortfolioSweep {self.id}: {self.progress.done:,} of {self.progress.total:,} portfolios>"


class SweepView(JobView):
    """What has come of a sweep."""

    _kind = "sweep"
    _log: SweepLog

    def __repr__(self) -> str:
        return f"<Sweep {self.id}: {self.progress.done:,} of {self.progress.total:,} backtests>"

    def _repr_html_(self) -> str:
        from backcast.html import sweep_html  # noqa: PLC0415  # notebooks only

        return sweep_html(self._log)
