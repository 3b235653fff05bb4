"""Converts requests for runs to RunRequest, and plans of runs back to requests."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.portfolio_pb2 import PortfolioSpec
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.portfolio_service_pb2 import RunPortfolioRequest
from backcast.gateway.v1.portfolio_sweep_pb2 import SweepPortfoliosRequest
from backcast.gateway.v1.run_events_pb2 import LeftOutCrypto
from backcast_engine import Detail, Strategy
from backcast_engine.errors import InvalidInput, Violation, Violations
from backcast_engine.interval import Interval
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from services.domain.symbols import canonical_symbol
from services.gateway.messages.result_pages import PageRequest, page_from
from services.gateway.planning.run_plan import CacheMode, RunPlan, RunRequest
from services.telemetry.run_id import is_run_id
from services.wire.backtests import (
    detail_from,
    detail_to,
    read_execution,
    read_strategy,
    spec_fields_named,
    spec_to,
)
from services.wire.candles import interval_from, time_from, timestamp_to
from services.wire.paging import MAX_SYMBOLS

_Request = TypeVar(
    "_Request",
    bound=pb.RunBacktestsRequest
    | pb.RunBacktestRequest
    | pb.SweepBacktestsRequest
    | pb.StreamSeriesRequest
    | RunPortfolioRequest
    | SweepPortfoliosRequest,
)

# Stands for the strategy of a request that names none.
UNREAD_STRATEGY = BuyAndHold()
_MAX_RESULTS_PER_EVENT = 1_000
_CACHE_MODES = {
    pb.CACHE_MODE_UNSPECIFIED: CacheMode.DEFAULT,
    **{pb.CacheMode.Value(f"CACHE_MODE_{mode.name}"): mode for mode in CacheMode},
}
_CACHE_MODE_VALUES = {mode: value for value, mode in _CACHE_MODES.items() if value}


def run_request_from(request: pb.RunBacktestsRequest) -> RunRequest:
    """Return what a client asks to run; raise InvalidInput, naming every bad field."""
    violations = Violations()
    asked = with_detail(request, read_run_request(request, violations), violations)
    results_per_event = violations.read(1, results_per_event_from, request.max_results_per_event)
    violations.raise_if_any(asked.violations)
    return replace(asked, results_per_event=results_per_event)


def results_per_event_from(value: int) -> int:
    """Return the maximum number of results in an event; raise InvalidInput if it is out of range."""
    if not 0 <= value <= _MAX_RESULTS_PER_EVENT:
        reason = f"must be from 0 to {_MAX_RESULTS_PER_EVENT:,}, not {value:,}"
        raise InvalidInput.of("max_results_per_event", reason)
    return value or 1


def read_run_request(
    request: pb.RunBacktestsRequest | pb.SweepBacktestsRequest | RunPortfolioRequest | SweepPortfoliosRequest,
    violations: Violations,
) -> RunRequest:
    """Return what runs, sweeps and portfolios have in common, with defaults for what cannot be read.

    The strategies of a portfolio are none of it.
    """
    symbols = _fields("symbols", request.symbols)
    if len(request.symbols) > MAX_SYMBOLS:
        reason = f"at most {MAX_SYMBOLS} are allowed, not {len(request.symbols)}"
        violations.add(Violation("symbols", reason))
        symbols = ()
    return _read(request, symbols, _fields("exclude", request.exclude), violations)


def single_request_from(request: pb.RunBacktestRequest) -> RunRequest:
    """Return the single backtest that a client asks for, as a run of one crypto; its page is checked too."""
    violations = Violations()
    asked = _read(request, [("symbol", request.symbol)], (), violations)
    asked = with_detail(request, asked, violations)
    violations.read(PageRequest(), page_from, request.page_token)
    violations.raise_if_any(asked.violations)
    return asked


def series_request_from(request: pb.StreamSeriesRequest) -> RunRequest:
    """Return what a client asks to draw, as a run of one crypto."""
    return single_request_from(
        pb.RunBacktestRequest(symbol=request.symbol, spec=request.spec, run_id=request.run_id)
    )


def check_run_id(request: _Request, read: Callable[[_Request], object]) -> None:
    """Raise InvalidInput if the `run_id` is malformed, with the other violations that `read` finds.

    A run has its id before it is planned.
    """
    if request.run_id and not is_run_id(request.run_id):
        with spec_fields_named(type(request.spec)):
            read(request)


def _run_id_from(text: str) -> str:
    if text and not is_run_id(text):
        raise InvalidInput.of("run_id", "must be 1 to 64 letters, digits, '-', '_' and '.'")
    return text


def _read(
    request: pb.RunBacktestsRequest
    | pb.SweepBacktestsRequest
    | pb.RunBacktestRequest
    | RunPortfolioRequest
    | SweepPortfoliosRequest,
    symbols: Iterable[tuple[str, str]],
    exclude: Iterable[tuple[str, str]],
    violations: Violations,
) -> RunRequest:
    spec, read = request.spec, violations.read
    read("", _run_id_from, request.run_id)
    return RunRequest(
        symbols=_by_symbol(symbols, violations),
        exclude=_by_symbol(exclude, violations),
        strategy=_strategy(spec, violations),
        interval=read(Interval.HOUR_1, interval_from, spec.interval),
        start_s=read(None, _time_s, spec, "start_time"),
        end_s=read(None, _time_s, spec, "end_time"),
        execution=read_execution(spec.execution, violations),
        detail=Detail.METRICS,
        curve_points=0,
        cache_mode=read(CacheMode.DEFAULT, _cache_mode_from, request.cache_mode),
    )


def _strategy(spec: BacktestSpec | PortfolioSpec, violations: Violations) -> Strategy:
    if isinstance(spec, PortfolioSpec):
        return UNREAD_STRATEGY
    return read_strategy(spec.strategy, violations) or UNREAD_STRATEGY


def with_detail(
    request: pb.RunBacktestsRequest | pb.RunBacktestRequest | RunPortfolioRequest,
    asked: RunRequest,
    violations: Violations,
) -> RunRequest:
    """Return what a client asks for with the detail of its results."""
    detail = violations.read(Detail.METRICS, detail_from, request.detail)
    return replace(asked, detail=detail, curve_points=request.curve_points)


def _cache_mode_from(value: int) -> CacheMode:
    if value not in _CACHE_MODES:
        raise InvalidInput.of("cache_mode", f"there is no cache mode {value}")
    return _CACHE_MODES[pb.CacheMode.ValueType(value)]


def _fields(name: str, symbols: Sequence[str]) -> Iterable[tuple[str, str]]:
    return ((f"{name}[{index}]", symbol) for index, symbol in enumerate(symbols))


def _by_symbol(named: Iterable[tuple[str, str]], violations: Violations) -> dict[str, str]:
    """Return the field that names each symbol, the first one of several."""
    fields: dict[str, str] = {}
    for field, text in named:
        symbol = violations.read(None, canonical_symbol, text, field)
        if symbol is not None:
            fields.setdefault(symbol, field)
    return fields


def _time_s(spec: BacktestSpec | PortfolioSpec, field: str) -> int | None:
    """Return a time in Unix seconds, None where it was left out."""
    is_given = spec.HasField(field)  # type: ignore[arg-type]  # one of two names
    return time_from(getattr(spec, field), field) if is_given else None


def run_request_to(plan: RunPlan, run_id: str = "") -> pb.RunBacktestsRequest:
    """Return the request that the run of a plan fulfils, every default filled in."""
    return pb.RunBacktestsRequest(
        symbols=[crypto.symbol for crypto in plan.cryptos],
        spec=plan_spec(plan),
        detail=detail_to(plan.backtest.detail),
        curve_points=plan.backtest.curve_points,
        cache_mode=_CACHE_MODE_VALUES[plan.cache_mode],
        run_id=run_id,
        max_results_per_event=plan.results_per_event,
    )


def plan_spec(plan: RunPlan) -> BacktestSpec:
    """Return the message of a plan's backtest."""
    backtest = plan.backtest
    return spec_to(backtest.strategy, backtest.interval, backtest.window, backtest.execution)


def left_out_to(plan: RunPlan) -> list[LeftOutCrypto]:
    """Return the cryptos that a plan leaves out."""
    return [
        LeftOutCrypto(
            symbol=crypto.symbol,
            first_candle_time=timestamp_to(crypto.first_candle_s),
            last_candle_time=timestamp_to(crypto.last_candle_s),
        )
        for crypto in plan.left_out
    ]


def single_request_to(plan: RunPlan) -> pb.RunBacktestRequest:
    """Return the request that a plan of one crypto fulfils, every default filled in but the run's id."""
    run = run_request_to(plan)
    return pb.RunBacktestRequest(
        symbol=run.symbols[0],
        spec=run.spec,
        detail=run.detail,
        curve_points=run.curve_points,
        cache_mode=run.cache_mode,
    )


def series_request_to(plan: RunPlan, run_id: str) -> pb.StreamSeriesRequest:
    """Return the request of the series of a plan of one crypto, every default filled in."""
    return pb.StreamSeriesRequest(symbol=plan.cryptos[0].symbol, spec=plan_spec(plan), run_id=run_id)
