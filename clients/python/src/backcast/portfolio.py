"""A portfolio, read by a thread: iterate over it for progress, or ask it for figures and frames."""

from typing import Any

from backcast.backtest.v1.portfolio_pb2 import PortfolioResult
from backcast.calls import Calls
from backcast.job import ProgressJob
from backcast.portfolio_log import PortfolioLog
from backcast.result import Metrics, metrics_of
from backcast.run_log import Recovery
from backcast.views import PortfolioView


class Portfolio(PortfolioView, ProgressJob):
    """One account that trades many cryptos. Iterating yields its progress; all else waits for its end.

    A stream that breaks off is resumed.
    """

    def __init__(self, calls: Calls, log: PortfolioLog, timeout_s: float | None) -> None:
        """`client.portfolio` makes portfolios. `timeout_s` is for the whole portfolio."""
        super().__init__(calls, log, Recovery(log, calls.connection.patience_s), timeout_s)

    @property
    def result(self) -> PortfolioResult:
        """The message PortfolioResult."""
        return self.wait()._log.message

    @property
    def metrics(self) -> Metrics:
        """The metrics of the account."""
        return metrics_of(self.wait()._log.view.metrics)

    @property
    def hold(self) -> Metrics:
        """The metrics of holding all cryptos with equal weights."""
        return metrics_of(self.wait()._log.view.hold)

    def account(self) -> Any:
        """Return a frame with the metrics of the account, of holding all cryptos, and of the benchmark."""
        return self.wait()._log.account()

    def cryptos(self) -> Any:
        """Return a frame with a row for each crypto: contribution, turnover, trades, skipped entries."""
        return self.wait()._log.cryptos()

    def trades(self) -> Any:
        """Return a frame with a row for each trade; the portfolio needs detail="trades"."""
        return self.wait()._log.trades()

    def equity(self) -> Any:
        """Return a frame of equity, cash, exposure and positions; the portfolio needs detail="equity"."""
        return self.wait()._log.equity()

    def correlation(self) -> Any:
        """Return a frame with a row for each pair of cryptos; the portfolio needs detail="trades"."""
        return self.wait()._log.correlation()
