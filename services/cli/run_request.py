"""The options of `backcast run` as a request."""

from dataclasses import dataclass
from datetime import UTC, datetime

from backcast.backtest.v1 import result_pb2
from backcast.gateway.v1 import backtest_service_pb2 as pb
from services.cli.strategy_arguments import strategy_message
from services.shared.candle_messages import interval_to
from services.shared.errors import InvalidInput
from services.shared.interval import Interval


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line says; None is left to the gateway."""

    strategy: str
    parameters: list[str]
    symbols: str
    interval: str
    start: str | None
    end: str | None
    fee: float | None
    slippage_bps: float | None
    initial_capital: float | None
    detail: str
    no_cache: bool


def run_request(options: RunOptions) -> pb.RunBacktestsRequest:
    """Return the request; raise InvalidInput, naming the option, where something cannot be read."""
    request = pb.RunBacktestsRequest(
        symbols=[] if options.symbols == "all" else options.symbols.split(","),
        strategy=strategy_message(options.strategy, options.parameters),
        interval=interval_to(parse_interval(options.interval)),
        detail=result_pb2.Detail.Value(f"DETAIL_{options.detail.upper()}"),
        cache_mode=pb.CACHE_MODE_BYPASS if options.no_cache else pb.CACHE_MODE_DEFAULT,
    )
    for field, text in (("start", options.start), ("end", options.end)):
        if text is not None:
            time = _time(text, f"--{field}")
            try:
                getattr(request, f"{field}_time").FromDatetime(time)
            except (OverflowError, ValueError):
                raise InvalidInput.of(f"--{field}", "is not in the years 1 to 9999, UTC") from None
    for field, value in (
        ("fee_rate", options.fee),
        ("slippage_bps", options.slippage_bps),
        ("initial_capital", options.initial_capital),
    ):
        if value is not None:
            setattr(request.execution, field, value)
    return request


def parse_interval(text: str) -> Interval:
    """Return the interval of a name like 4h."""
    try:
        return Interval(text)
    except ValueError:
        choices = ", ".join(interval.value for interval in Interval)
        raise InvalidInput.of("--interval", f"{text!r} is not one of {choices}") from None


def _time(text: str, option: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput.of(
            option, f"{text!r} is not a time like 2025-01-31 or 2025-01-31T12:00:00+00:00"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
