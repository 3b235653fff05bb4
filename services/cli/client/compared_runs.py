"""Several strategies on the same cryptos and the same window: their runs, one after the other, compared."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from google.rpc.status_pb2 import Status

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast.gateway.v1.run_events_pb2 import LeftOutCrypto, Progress
from backcast.result import metric_rows
from backcast_engine.errors import BackcastError, InvalidInput, Violation
from services.cli.client.errors import readable_errors
from services.cli.client.event_stream import TOO_FEW_CANDLES, excuses_short_histories, run_events
from services.cli.client.gateway_channel import open_gateway
from services.cli.options.compared import of_strategy
from services.cli.options.names import named_options
from services.domain.comparison import (
    LETTERS,
    Differences,
    Statistics,
    common_symbols,
    differences_of,
    statistics_of,
)

_SHARED = ("--symbols", "--exclude", "--start", "--end")


@dataclass(slots=True)
class ComparedRun:
    """What a run brought: its request with every default, and results and failures by symbol."""

    request: pb.RunBacktestsRequest
    results: dict[str, BacktestResult] = field(default_factory=dict)
    failures: dict[str, Status] = field(default_factory=dict)
    left_out: list[LeftOutCrypto] = field(default_factory=list)
    later: int = 0
    """Number of cryptos that have candles after the window that the gateway chose."""

    def has_failed(self, asked: pb.RunBacktestsRequest) -> bool:
        """Return whether a crypto failed, for other reasons than those that `asked` excuses."""
        excused = TOO_FEW_CANDLES if excuses_short_histories(asked) else ()
        return any(status.code not in excused for status in self.failures.values())


@dataclass(frozen=True, slots=True)
class Comparison:
    """What several runs say about their common cryptos, by the letters of the strategies."""

    symbols: list[str]
    runs: dict[str, ComparedRun]
    statistics: dict[str, Statistics]
    differences: dict[str, Differences]
    """Differences from the first strategy, of all others."""

    @classmethod
    def of(cls, runs: Sequence[ComparedRun]) -> Self:
        """Compare runs, which have results of one common crypto or more."""
        symbols = common_symbols([run.results for run in runs])
        figures = {
            letter: metric_rows([run.results[symbol].metrics for symbol in symbols])
            for letter, run in zip(LETTERS, runs, strict=False)
        }
        first, *others = figures
        return cls(
            symbols,
            dict(zip(LETTERS, runs, strict=False)),
            {letter: statistics_of(one) for letter, one in figures.items()},
            {letter: differences_of(figures[letter], figures[first]) for letter in others},
        )


async def compared_runs(
    gateway: str, requests: Sequence[pb.RunBacktestsRequest], report: Callable[[int, Progress], None]
) -> list[ComparedRun]:
    """Run the requests; all have the window of the first one, and the cryptos for which it has results.

    `report` gets the place of a request, and the progress of its run. Raises InvalidInput, naming the
    strategies and the options, if a request is invalid; and BackcastError if no crypto has a result of all.
    """
    await _check_strategies(gateway, requests)
    runs: list[ComparedRun] = []
    for place, asked in enumerate(requests):
        request = pb.RunBacktestsRequest()
        request.CopyFrom(asked)
        if runs:
            first = runs[0].request.spec
            request.spec.start_time.CopyFrom(first.start_time)
            request.spec.end_time.CopyFrom(first.end_time)
            del request.symbols[:], request.exclude[:]
            request.symbols.extend(sorted(runs[0].results))
        run = ComparedRun(request)
        with _named_strategy(place + 1):
            await _follow(gateway, run, partial(report, place))
        runs.append(run)
        if not set.intersection(*(set(each.results) for each in runs)):
            raise BackcastError(_nothing_in_common(runs))
    return runs


async def _follow(gateway: str, run: ComparedRun, report: Callable[[Progress], None]) -> None:
    async with aclosing(run_events(gateway, run.request)) as events:
        async for event in events:
            match event.WhichOneof("event"):
                case "started":
                    run.request, run.left_out = event.started.request, list(event.started.left_out)
                    run.later = event.started.cryptos_with_later_candles
                case "result":
                    run.results[event.result.symbol] = event.result
                case "failure":
                    run.failures[event.failure.symbol] = event.failure.status
            report(event.progress)


async def _check_strategies(gateway: str, requests: Sequence[pb.RunBacktestsRequest]) -> None:
    """Raise InvalidInput if parameters are out of their ranges, before anything is computed."""
    violations: list[Violation] = []
    async with open_gateway(gateway) as channel:
        stub = BacktestServiceStub(channel)
        for number, request in enumerate(requests, 1):
            described = pb.DescribeStrategyRequest(strategy=request.spec.strategy)
            try:
                with named_options(described), readable_errors("gateway", gateway):
                    await stub.DescribeStrategy(described)
            except InvalidInput as error:
                violations += [of_strategy(number, violation) for violation in error.violations]
    if violations:
        raise InvalidInput(*violations)


@contextmanager
def _named_strategy(number: int) -> Iterator[None]:
    """Let errors name the strategy with a number, unless they are about all of them."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(
            *(
                violation if violation.field in _SHARED else of_strategy(number, violation)
                for violation in error.violations
            )
        ) from None
    except BackcastError as error:
        # Of its subclasses, such as one for a gateway that does not answer, all are about more.
        if type(error) is not BackcastError:
            raise
        raise BackcastError(f"strategy {number}: {error}") from None


def _nothing_in_common(runs: Sequence[ComparedRun]) -> str:
    counts = [f"strategy {number} has {len(run.results):,}" for number, run in enumerate(runs, 1)]
    reasons = sorted({status.message for status in runs[-1].failures.values()})
    why = f", because {reasons[0]}" if reasons else ""
    return f"no crypto has a result of all strategies: {', '.join(counts)}{why}"
