"""Reads requests for backtests and series, and what sweeps have in common with them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.portfolio_pb2 import PortfolioSpec
from backcast.compute.v1 import compute_service_pb2 as pb
from backcast_engine import Backtest, Detail, Window
from backcast_engine.curves import FEWEST_POINTS
from backcast_engine.errors import Violation, Violations
from backcast_engine.interval import Interval
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.times import EARLIEST_S, LATEST_S
from services.compute.candles.location import DataVersion
from services.compute.tasks.jobs import ComputeJob, backtest_job, series_job
from services.domain.symbols import canonical_symbol
from services.wire.backtests import detail_from, read_execution, read_strategy
from services.wire.candles import interval_from
from services.wire.paging import MAX_SYMBOLS


def job_of_backtests(request: pb.ComputeBacktestsRequest) -> ComputeJob:
    """Return the job of a request; raise InvalidInput, naming every bad field."""
    violations = Violations()
    refs = {f"cryptos[{index}]": each for index, each in enumerate(request.cryptos)}
    cryptos = read_cryptos(refs, violations)
    others = read_others(request.other_cryptos, violations)
    backtest = _read_backtest(request.spec, others, violations)
    detail = violations.read(Detail.METRICS, detail_from, request.detail)
    if request.curve_points and request.curve_points < FEWEST_POINTS:
        reason = f"must be 0 for all, or at least {FEWEST_POINTS}, not {request.curve_points}"
        violations.add(Violation("curve_points", reason))
    violations.raise_if_any()
    return backtest_job(cryptos, replace(backtest, detail=detail, curve_points=request.curve_points), others)


def job_of_series(request: pb.ComputeSeriesRequest) -> ComputeJob:
    """Return the job of a request; raise InvalidInput, naming every bad field."""
    violations = Violations()
    (crypto,) = read_cryptos({"crypto": request.crypto}, violations)
    others = read_others(request.other_cryptos, violations)
    backtest = _read_backtest(request.spec, others, violations)
    if request.skipped_candle_count < 0:
        reason = f"must be at least 0, not {request.skipped_candle_count}"
        violations.add(Violation("skipped_candle_count", reason))
    violations.raise_if_any()
    return series_job(crypto, backtest, others)


def read_cryptos(refs: Mapping[str, pb.CryptoRef], violations: Violations) -> list[DataVersion]:
    """Return the cryptos of a request, of which each has the path of its message."""
    if not 0 < len(refs) <= MAX_SYMBOLS:
        violations.add(Violation("cryptos", f"from 1 to {MAX_SYMBOLS} are needed, not {len(refs)}"))
    return _read_refs(refs, violations)


def read_others(refs: Sequence[pb.CryptoRef], violations: Violations) -> tuple[DataVersion, ...]:
    """Return the other cryptos of a request."""
    return tuple(_read_refs({f"other_cryptos[{index}]": each for index, each in enumerate(refs)}, violations))


def check_others(symbols: Iterable[str], others: Iterable[DataVersion], violations: Violations) -> None:
    """Add a violation where some of the other cryptos that the rules look at are missing."""
    if missing := set(symbols) - {each.symbol for each in others}:
        reason = f"must have {', '.join(sorted(missing))}, at which the rules look"
        violations.add(Violation("other_cryptos", reason))


def _read_refs(refs: Mapping[str, pb.CryptoRef], violations: Violations) -> list[DataVersion]:
    cryptos: dict[str, DataVersion] = {}
    for path, ref in refs.items():
        symbol = violations.read("", canonical_symbol, ref.symbol, f"{path}.symbol")
        if symbol in cryptos:
            violations.add(Violation(f"{path}.symbol", f"{symbol} occurs twice"))
        cryptos[symbol] = DataVersion(symbol, ref.fingerprint)
    return list(cryptos.values())


def read_window(spec: BacktestSpec | PortfolioSpec, violations: Violations) -> Window:
    """Return the window of a backtest or a portfolio, whose times are whole seconds."""
    window = Window(spec.start_time.seconds, spec.end_time.seconds)
    if not EARLIEST_S <= window.start_s < window.end_s <= LATEST_S:
        reason = "must be before end_time, both between the years 1 and 9999"
        violations.add(Violation("start_time", reason))
    return window


def _read_backtest(spec: BacktestSpec, others: Sequence[DataVersion], violations: Violations) -> Backtest:
    strategy = read_strategy(spec.strategy, violations) or BuyAndHold()
    interval = violations.read(Interval.HOUR_1, interval_from, spec.interval)
    window = read_window(spec, violations)
    execution = read_execution(spec.execution, violations)
    violations.add(*execution.violations())
    faults = strategy.violations() or strategy.interval_violations(interval)
    violations.add(*faults)
    if not faults:
        check_others(strategy.other_symbols, others, violations)
    return Backtest(strategy, interval, window, execution)
