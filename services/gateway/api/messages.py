"""Requests to the domain's words, and back with every default filled in."""

from collections.abc import Iterable, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1.run_events_pb2 import LeftOutCrypto
from services.domain.errors import InvalidInput
from services.domain.symbols import canonical_symbol
from services.domain.times import EARLIEST_S, LATEST_S
from services.engine import Window
from services.gateway.planning.run_plan import CacheMode, RunPlan, RunRequest
from services.wire.backtests import (
    detail_from,
    detail_to,
    execution_from,
    execution_to,
    strategy_from,
    strategy_to,
)
from services.wire.candles import interval_from, interval_to, timestamp_to
from services.wire.paging import MAX_SYMBOLS

_MOST_RESULTS_PER_EVENT = 1_000

_CACHE_MODES = {
    pb.CACHE_MODE_UNSPECIFIED: CacheMode.DEFAULT,
    **{pb.CacheMode.Value(f"CACHE_MODE_{mode.name}"): mode for mode in CacheMode},
}
_CACHE_MODE_VALUES = {mode: value for value, mode in _CACHE_MODES.items() if value}


def run_request_from(request: pb.RunBacktestsRequest) -> RunRequest:
    """Return what a client asks to run; raise InvalidInput, naming the field, for what makes no sense."""
    if len(request.symbols) > MAX_SYMBOLS:
        raise InvalidInput.of("symbols", f"at most {MAX_SYMBOLS} are allowed, not {len(request.symbols)}")
    return _request(
        request,
        _fields("symbols", request.symbols),
        _fields("exclude", request.exclude),
        results_per_event_from(request.max_results_per_event),
    )


def get_request_from(request: pb.GetBacktestRequest) -> RunRequest:
    """Return what a client asks to get, as a run of one crypto."""
    return _request(request, [("symbol", request.symbol)])


def results_per_event_from(value: int) -> int:
    """Return how many results an event may have; raise InvalidInput, naming the field, where it is wrong."""
    if not 0 <= value <= _MOST_RESULTS_PER_EVENT:
        reason = f"must be from 0 to {_MOST_RESULTS_PER_EVENT:,}, not {value:,}"
        raise InvalidInput.of("max_results_per_event", reason)
    return value or 1


def _request(
    request: pb.RunBacktestsRequest | pb.GetBacktestRequest,
    symbols: Iterable[tuple[str, str]],
    exclude: Iterable[tuple[str, str]] = (),
    results_per_event: int = 1,
) -> RunRequest:
    by_symbol, by_exclude = _by_symbol(symbols), _by_symbol(exclude)
    if request.cache_mode not in _CACHE_MODES:
        raise InvalidInput.of("cache_mode", f"there is no cache mode {request.cache_mode}")
    return RunRequest(
        symbols=by_symbol,
        exclude=by_exclude,
        strategy=strategy_from(request.strategy),
        interval=interval_from(request.interval),
        start_s=_time_s(request, "start_time"),
        end_s=_time_s(request, "end_time"),
        execution=execution_from(request.execution),
        detail=detail_from(request.detail),
        curve_points=request.curve_points,
        cache_mode=_CACHE_MODES[request.cache_mode],
        results_per_event=results_per_event,
    )


def _fields(name: str, symbols: Sequence[str]) -> Iterable[tuple[str, str]]:
    return ((f"{name}[{index}]", symbol) for index, symbol in enumerate(symbols))


def _by_symbol(named: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the field that names each symbol, the first one of several."""
    fields: dict[str, str] = {}
    for field, text in named:
        fields.setdefault(canonical_symbol(text, field), field)
    return fields


def _time_s(request: pb.RunBacktestsRequest | pb.GetBacktestRequest, field: str) -> int | None:
    """Return a time in Unix seconds, None where it was left out.

    Candles open at full seconds, so a fraction is rounded up: the same candles are before and after it.
    """
    if not request.HasField(field):  # type: ignore[arg-type]  # one of two names
        return None
    time: Timestamp = getattr(request, field)
    if not (EARLIEST_S <= time.seconds <= LATEST_S and 0 <= time.nanos < 1_000_000_000):
        raise InvalidInput.of(field, "is not a time between the years 1 and 9999")
    return time.seconds + (time.nanos > 0)


def timestamps(window: Window) -> tuple[Timestamp, Timestamp]:
    """Return a window's start and end."""
    return timestamp_to(window.start_s), timestamp_to(window.end_s)


def run_request_to(plan: RunPlan, run_id: str = "") -> pb.RunBacktestsRequest:
    """Return the request that the run of a plan fulfils, every default filled in."""
    start_time, end_time = timestamps(plan.backtest.window)
    return pb.RunBacktestsRequest(
        symbols=[crypto.symbol for crypto in plan.cryptos],
        strategy=strategy_to(plan.backtest.strategy),
        interval=interval_to(plan.backtest.interval),
        start_time=start_time,
        end_time=end_time,
        execution=execution_to(plan.backtest.execution),
        detail=detail_to(plan.backtest.detail),
        curve_points=plan.backtest.curve_points,
        cache_mode=_CACHE_MODE_VALUES[plan.cache_mode],
        request_id=run_id,
        max_results_per_event=plan.results_per_event,
    )


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


def get_request_to(plan: RunPlan, run_id: str) -> pb.GetBacktestRequest:
    """Return the request that the run of a plan of one crypto fulfils, every default filled in."""
    run = run_request_to(plan, run_id)
    return pb.GetBacktestRequest(
        symbol=run.symbols[0],
        strategy=run.strategy,
        interval=run.interval,
        start_time=run.start_time,
        end_time=run.end_time,
        execution=run.execution,
        detail=run.detail,
        curve_points=run.curve_points,
        cache_mode=run.cache_mode,
        request_id=run.request_id,
    )
