"""The client of a gateway for asyncio: `async with backcast.aio.connect() as client: await client.run(…)`."""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, Unpack
from weakref import WeakSet

import grpc

from backcast.aio.portfolio import Portfolio
from backcast.aio.portfolio_sweep import PortfolioSweep
from backcast.aio.run import Run
from backcast.aio.sweep import Sweep
from backcast.calls import Calls
from backcast.connection import Connection, connection
from backcast.errors import ConnectionFailedError
from backcast.frames import Columns, frame
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.run_service_pb2 import CancelRunRequest, ListRunsRequest
from backcast.lists import CandleBlocks, crypto_columns, run_columns, strategy_columns
from backcast.marketdata.v1.market_data_service_pb2 import ListCryptosRequest
from backcast.options import Interval, PortfolioOptions, RunOptions
from backcast.portfolio_log import PortfolioLog
from backcast.portfolio_sweep_log import (
    PortfolioSweepLog,
    portfolio_sweep_request,
    ranks_of,
    swept_values,
)
from backcast.quantities import Number, Time, text
from backcast.requests import (
    candles_request,
    portfolio_request,
    rules_request,
    rules_strategy,
    run_request,
    series_request,
    weighted_strategies,
)
from backcast.run_log import RunLog
from backcast.strategies import Rules, Strategy
from backcast.sweep_log import SweepLog
from backcast.sweep_request import sweep_request, swept_settings


def connect(
    address: str | None = None,
    *,
    token: str | None = None,
    tls: bool | str | os.PathLike[str] | None = None,
    certificate: tuple[str, str] | None = None,
    insecure: bool | None = None,
    timeout: float = 30.0,
    patience: float = 30.0,
    frames: str = "auto",
) -> "Client":
    """Return a client as `backcast.connect` does, whose methods are coroutines."""
    return Client(
        connection(
            address,
            token=token,
            tls=tls,
            certificate=certificate,
            insecure=insecure,
            timeout=timeout,
            patience=patience,
            frames=frames,
        )
    )


class Client:
    """A client of a gateway; leaving its block cancels its runs and closes its channel."""

    def __init__(self, connection: Connection) -> None:
        """See `connect`."""
        self._connection = connection
        self._channel: grpc.aio.Channel | None = None
        self._opened_calls: Calls | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self._open: WeakSet[Run | Sweep | Portfolio | PortfolioSweep] = WeakSet()

    async def run(
        self, strategy: Strategy, *, timeout: float | None = None, **options: Unpack[RunOptions]
    ) -> Run:
        """Backtest a strategy on many cryptos; return the run as soon as it has started.

        `timeout` is for the whole run, in seconds. The other arguments have the server's defaults, and
        `backcast.options.RunOptions` explains them: symbols, exclude, interval, start, end; detail,
        curve_points; fee, slippage, initial_capital, fill, direction; size_fraction, size_amount,
        size_volatility, volatility_period; stop_loss, take_profit, trailing_stop, atr_period; borrow_rate,
        funding_rate, breaks; cache, run_id.

        Raises InvalidRequestError for bad arguments, BusyError where too many runs are under way.
        """
        request = run_request(await self._parsed(strategy), options)
        run: Run = await self._begun(Run(self._calls, RunLog(request, self._connection.library), timeout))
        return run

    async def watch(self, run_id: str, *, timeout: float | None = None) -> Run:
        """Return a run that is under way or ended recently, from its first result on."""
        log = RunLog.watching(run_id, self._connection.library)
        run: Run = await self._begun(Run(self._calls, log, timeout))
        return run

    async def sweep(
        self,
        strategy: Strategy,
        *,
        timeout: float | None = None,
        **arguments: Any,
    ) -> Sweep:
        """Backtest every combination of parameters on many cryptos; return the sweep once it has started.

        Parameters with several values are arguments like `period=range(5, 31)`. The other arguments are those
        of `run`, without detail, and those of `backcast.options.SweepOptions`: split, folds, metric, top,
        min_trades, curve_points, random, optimize, seed.

        In rules, a name in braces stands for a number: `client.sweep(backcast.rules("rsi({n}) < 30"),
        n=range(5, 31))`. Stops, size, direction, fill, costs and atr_period can be lists: `stop_loss=["2%",
        "5%", None]`, in which None is no stop.
        """
        settings = swept_settings(arguments)
        request = sweep_request(await self._parsed(strategy), {**arguments, **settings})
        log = SweepLog(request, self._connection.library, settings)
        sweep: Sweep = await self._begun(Sweep(self._calls, log, timeout))
        return sweep

    async def portfolio(
        self,
        strategies: Strategy | Iterable[Strategy] | Mapping[Strategy, Number],
        *,
        timeout: float | None = None,
        **options: Unpack[PortfolioOptions],
    ) -> Portfolio:
        """Trade many cryptos with one account; return the portfolio once it has started.

        Several strategies are a list, or a dict with their weights: `{backcast.Rsi(): 0.4, …}`.
        """
        weighted = [(await self._parsed(one), weight) for one, weight in weighted_strategies(strategies)]
        rank = None
        if "rank" in options:
            parse = self._calls.backtests.ParseRules
            rank = (await self._answer(parse, series_request(options["rank"]))).series
        request = portfolio_request(weighted, rank, options)
        log = PortfolioLog(request, self._connection.library)
        portfolio: Portfolio = await self._begun(Portfolio(self._calls, log, timeout))
        return portfolio

    async def sweep_portfolio(
        self,
        strategies: Strategy | Iterable[Strategy] | Mapping[Strategy, Number],
        *,
        timeout: float | None = None,
        **arguments: Any,
    ) -> PortfolioSweep:
        """Trade every combination of values with one account; return the sweep once it has started.

        Parameters of strategies with several values are arguments like `period=range(5, 31)`, of all
        strategies that have the parameter; a name in braces, in rules and in the rank, stands for a number.
        The other arguments are those of `backcast.options.PortfolioSweepOptions`: those of `run`, without
        detail; max_positions, rank, size, rebalance_every, rebalance_threshold; split, folds, metric, top,
        min_trades, curve_points, random, optimize, seed. Stops, size_fraction and the like, direction, fill,
        costs, atr_period, interval, max_positions, rank and rebalance_every can be lists, in which None is
        none.
        """
        weighted = [(await self._parsed(one), weight) for one, weight in weighted_strategies(strategies)]
        parse = self._calls.backtests.ParseRules
        ranks = [
            None if rank is None else (await self._answer(parse, series_request(rank))).series
            for rank in ranks_of(arguments)
        ]
        request = portfolio_sweep_request(weighted, ranks, arguments)
        log = PortfolioSweepLog(request, self._connection.library, swept_values(arguments))
        sweep: PortfolioSweep = await self._begun(PortfolioSweep(self._calls, log, timeout))
        return sweep

    async def candles(
        self,
        symbols: str | Iterable[str],
        interval: Interval = "1h",
        *,
        start: Time | None = None,
        end: Time | None = None,
    ) -> Any:
        """Return a frame of candles: time, open, high, low, close and volume.

        `symbols` is the symbol of one crypto, or a list: then the frame has a column of symbols too.
        """
        request = candles_request(symbols, interval, start, end)
        blocks = CandleBlocks()
        with self._calls.readable_errors():
            call = self._calls.stream(self._calls.market.StreamCandles, request, self._connection.timeout_s)
            async for response in call:
                blocks.add(response)
        return frame(blocks.columns(with_symbols=not isinstance(symbols, str)), self._connection.library)

    async def cryptos(self) -> Any:
        """Return a frame with a row for each crypto that has candles."""
        return await self._listed(
            self._calls.market.ListCryptos, ListCryptosRequest(), "cryptos", crypto_columns
        )

    async def strategies(self) -> Any:
        """Return a frame with a row for each parameter of each strategy."""
        return await self._listed(
            self._calls.backtests.ListStrategies, pb.ListStrategiesRequest(), "strategies", strategy_columns
        )

    async def runs(self) -> Any:
        """Return a frame with a row for each run that is under way, is paused or ended recently."""
        return await self._listed(self._calls.runs.ListRuns, ListRunsRequest(), "runs", run_columns)

    async def cancel(self, run_id: str) -> None:
        """Cancel a run, of this client or of another one with the same token."""
        await self._answer(self._calls.runs.CancelRun, CancelRunRequest(run_id=text(run_id, "run_id")))

    async def close(self) -> None:
        """Cancel the runs that are not complete, and close the channel."""
        for run in list(self._open):
            await run.cancel()
        self._is_closed = True
        if self._opened_calls is not None and self._channel is not None:
            self._opened_calls.is_closed = True
            await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Client of {self._connection.address}>"

    @property
    def _calls(self) -> Calls:
        """The calls; the first use opens the channel, which belongs to the event loop that runs then."""
        loop = asyncio.get_running_loop()
        if self._opened_calls is None:
            self._loop, self._channel = loop, self._connection.open_channel(grpc.aio)
            self._opened_calls = Calls(self._channel, self._connection)
            self._opened_calls.is_closed = self._is_closed
        elif loop is not self._loop:
            raise ConnectionFailedError("this client is used in another event loop: connect once in each")
        return self._opened_calls

    async def _parsed(self, strategy: Strategy) -> Any:
        if not isinstance(strategy, Rules):
            return strategy
        response = await self._answer(self._calls.backtests.ParseRules, rules_request(strategy))
        return rules_strategy(response.description.rules)

    async def _begun(self, run: Any) -> Any:
        self._open.add(run)
        return await run.begin()

    async def _answer(self, method: Any, request: Any) -> Any:
        with self._calls.readable_errors():
            return await self._calls.unary(method, request)

    async def _listed(
        self, method: Any, request: Any, field: str, columns: Callable[[list[Any]], Columns]
    ) -> Any:
        """Return the frame of a list that comes in pages; `field` is the one of its items in a page."""
        items: list[Any] = []
        while True:
            page = await self._answer(method, request)
            items.extend(getattr(page, field))
            if not page.next_page_token:
                return frame(columns(items), self._connection.library)
            request.page_token = page.next_page_token
