"""Results as people read them."""

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table

from backcast.backtest.v1.result_pb2 import BacktestResult, Metrics, Trade
from backcast.gateway.v1 import run_events_pb2

_HEADINGS = ("return", "hold", "Sharpe", "drawdown", "wins", "trades", "fees")
_MORE_HEADINGS = ("CAGR", "Sortino", "exposure", "best", "worst")
# With all columns a table is wider than most terminals.
_ROOM_FOR_MORE = 120
_ABSENT = "[dim]–[/dim]"
_SPARKS = "▁▂▃▄▅▆▇█"
_SPARKLINE_WIDTH = 60


def ranked(results: list[BacktestResult]) -> list[BacktestResult]:
    """Return the results, the greatest total return first."""
    return sorted(results, key=lambda result: result.metrics.total_return, reverse=True)


def results_table(
    width: int, best: list[BacktestResult], between: str = "", worst: Sequence[BacktestResult] = ()
) -> Table:
    """Return a table with a row for each result, and a line between the best and the worst.

    `width` is the console's, in characters: it decides how many columns there are.
    """
    wide = width >= _ROOM_FOR_MORE
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=not wide)
    table.add_column("crypto", no_wrap=True)
    for heading in _HEADINGS + (_MORE_HEADINGS if wide else ()):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", style="dim", no_wrap=True)
    for result in best:
        table.add_row(*_row(result, wide))
    if between:
        table.add_row(f"[dim]{between}[/dim]")
    for result in worst:
        table.add_row(*_row(result, wide))
    return table


def _row(result: BacktestResult, wide: bool) -> list[RenderableType]:
    metrics = result.metrics
    row: list[RenderableType] = [
        result.symbol,
        _signed_percent(metrics, "total_return"),
        _signed_percent(metrics, "buy_and_hold_return"),
        _number(metrics, "sharpe_ratio", "{:.2f}"),
        _number(metrics, "max_drawdown", "{:.1%}"),
        _number(metrics, "win_rate", "{:.0%}"),
        f"{metrics.trade_count:.0f}" + ("+1" if metrics.open_trade_count else ""),
        _number(metrics, "fees_paid", "{:,.2f}"),
    ]
    if wide:
        row += [
            _signed_percent(metrics, "cagr"),
            _number(metrics, "sortino_ratio", "{:.2f}"),
            _number(metrics, "exposure", "{:.0%}"),
            _signed_percent(metrics, "best_trade"),
            _signed_percent(metrics, "worst_trade"),
        ]
    return [*row, "cached" if result.from_cache else ""]


def trades_table(symbol: str, trades: Sequence[Trade], total: int) -> Table:
    """Return a table of trades; `total` is how many there were before it was cut to the last ones."""
    title = f"trades of {symbol}" + (f" (the last {len(trades)} of {total})" if len(trades) < total else "")
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    for heading in ("bought", "at", "sold", "at", "return", "profit", "fees", "candles"):
        table.add_column(heading, justify="left" if heading in ("bought", "sold") else "right", no_wrap=True)
    for trade in trades:
        table.add_row(
            f"{trade.entry_time.ToDatetime():%Y-%m-%d %H:%M}",
            f"{trade.entry_price:.6g}",
            "[dim]open[/dim]" if trade.open else f"{trade.exit_time.ToDatetime():%Y-%m-%d %H:%M}",
            _ABSENT if trade.open else f"{trade.exit_price:.6g}",
            _colored(trade.return_fraction, f"{trade.return_fraction:+.2%}"),
            f"{trade.profit:+,.2f}",
            f"{trade.fees_paid:,.2f}",
            str(trade.held_candles),
        )
    return table


def sparkline(values: Sequence[float]) -> str:
    """Return a curve in one line of text, from its lowest to its highest value."""
    step = max(len(values) / _SPARKLINE_WIDTH, 1)
    shown = [values[int(index * step)] for index in range(int(len(values) / step))]
    low, high = min(shown), max(shown)
    height = (high - low) or 1
    line = "".join(_SPARKS[round((value - low) / height * (len(_SPARKS) - 1))] for value in shown)
    return f"{low:,.0f} {line} {high:,.0f}"


def summary_lines(summary: run_events_pb2.RunSummary) -> str:
    """Return the summary of a run as a few lines of text."""
    progress = summary.progress
    elapsed = summary.elapsed.ToTimedelta().total_seconds()
    lines = []
    for name, metrics in (("mean", summary.mean), ("median", summary.median)):
        if progress.completed:
            lines.append(
                f"{name:>6}: return {_signed_percent(metrics, 'total_return')}, "
                f"hold {_signed_percent(metrics, 'buy_and_hold_return')}, "
                f"Sharpe {_number(metrics, 'sharpe_ratio', '{:.2f}')}, "
                f"drawdown {_number(metrics, 'max_drawdown', '{:.1%}')}, "
                f"trades {_number(metrics, 'trade_count', '{:.1f}')}"
            )
    if progress.completed > 1:
        lines.append(
            f"  best: {summary.best.symbol} {_colored(summary.best.total_return)}, "
            f"worst: {summary.worst.symbol} {_colored(summary.worst.total_return)}"
        )
    failed = f", [red]{progress.failed} failed[/red]" if progress.failed else ""
    lines.append(
        f"[bold]{progress.completed} of {progress.total} in {elapsed:.3f} s[/bold], "
        f"{progress.from_cache} from the cache{failed}"
    )
    if summary.cache_state == run_events_pb2.CACHE_STATE_UNAVAILABLE:
        lines.append("[yellow]the cache does not answer: results were computed and not kept[/yellow]")
    return "\n".join(lines)


def _number(metrics: Metrics, name: str, form: str) -> str:
    return form.format(getattr(metrics, name)) if metrics.HasField(name) else _ABSENT  # type: ignore[arg-type]  # names of its fields


def _signed_percent(metrics: Metrics, name: str) -> str:
    return _colored(getattr(metrics, name)) if metrics.HasField(name) else _ABSENT  # type: ignore[arg-type]  # names of its fields


def _colored(value: float, text: str | None = None) -> str:
    return f"[{'green' if value >= 0 else 'red'}]{text or f'{value:+.1%}'}[/]"
