"""Tables and lines of a portfolio: the account beside holding, cryptos, skipped entries, correlation."""

import math
from collections.abc import Sequence
from statistics import fmean

from rich.table import Table

from backcast.backtest.v1 import portfolio_pb2
from backcast.backtest.v1.result_pb2 import Metrics
from services.cli.views.fitted_table import TableColumn, fitted_table
from services.cli.views.metric_cells import ABSENT, cell, colored, heading_of
from services.domain.counted import counted

_ACCOUNT = (
    *("total_return", "cagr", "annual_volatility", "sharpe_ratio", "sortino_ratio", "max_drawdown"),
    *("exposure", "trade_count", "open_trade_count", "win_rate", "profit_factor", "fees_paid"),
    "final_equity",
)
# Figures that holding has no trades for.
_OF_TRADES = (*("exposure", "trade_count", "open_trade_count", "win_rate", "profit_factor", "fees_paid"),)
_SKIPPED = {
    "no_place": "no place",
    "no_cash": "no cash",
    "undefined_size": "undefined size",
    "no_equity": "no equity",
}
_MOST_PAIRS = 3
_MOST_SYMBOLS = 5


def account_table(width: int, result: portfolio_pb2.PortfolioResult) -> Table:
    """Return the figures of the account, of holding all cryptos, and of the benchmark, one per row."""
    names = [name for name in _ACCOUNT if result.metrics.HasField(name)]  # type: ignore[arg-type]  # names of its fields
    columns = {"account": result.metrics, "hold all": result.hold}
    if result.HasField("benchmark"):
        columns[f"hold {result.benchmark.symbol}"] = result.benchmark.metrics
    return fitted_table(
        width,
        [
            TableColumn("", [heading_of(name) for name in names], left=True),
            *(
                TableColumn(heading, [_cell(metrics, name, heading) for name in names])
                for heading, metrics in columns.items()
            ),
        ],
    )


def _cell(metrics: Metrics, name: str, heading: str) -> str:
    return cell(metrics, name) if heading == "account" or name not in _OF_TRADES else ""


def benchmark_line(result: portfolio_pb2.PortfolioResult) -> str | None:
    """Return the account beside the benchmark in a line; None without a benchmark."""
    if not result.HasField("benchmark"):
        return None
    benchmark = result.benchmark
    alpha = colored(benchmark.alpha) if benchmark.HasField("alpha") else ABSENT
    beta, ratio = (
        f"{getattr(benchmark, name):z,.2f}" if benchmark.HasField(name) else ABSENT
        for name in ("beta", "information_ratio")
    )
    return f"against {benchmark.symbol}: alpha {alpha} a year, beta {beta}, information ratio {ratio}"


def skipped_line(result: portfolio_pb2.PortfolioResult) -> str:
    """Return how many entries were skipped, by reason."""
    counts = {
        words: sum(getattr(crypto.skipped, name) for crypto in result.cryptos)
        for name, words in _SKIPPED.items()
    }
    skipped = [f"{count:,} {words}" for words, count in counts.items() if count]
    return f"skipped entries: {', '.join(skipped) or 'none'}"


def never_entered_line(result: portfolio_pb2.PortfolioResult) -> str | None:
    """Return that no entry was ever asked for; None if any was, also one that was skipped."""
    asked = any(
        crypto.trade_count + crypto.open_trade_count + sum(getattr(crypto.skipped, name) for name in _SKIPPED)
        for crypto in result.cryptos
    )
    return None if asked or not result.cryptos else "[yellow]no entry was ever true on any crypto[/yellow]"


def without_candles_line(result: portfolio_pb2.PortfolioResult) -> str | None:
    """Return which cryptos have no candle in the window; None if all have some."""
    symbols = result.without_candles
    if not symbols:
        return None
    rest = ", …" if len(symbols) > _MOST_SYMBOLS else ""
    has = "has" if len(symbols) == 1 else "have"
    return (
        f"[yellow]{counted(len(symbols), 'crypto')} {has} no candle in the window "
        f"({', '.join(symbols[:_MOST_SYMBOLS])}{rest})[/yellow]"
    )


def cryptos_table(
    width: int, cryptos: Sequence[portfolio_pb2.PortfolioCrypto], capital: float, most: int
) -> Table:
    """Return what the cryptos did, the greatest contribution first; with `most` rows, the best and worst."""
    ranked = sorted(cryptos, key=lambda crypto: (-crypto.contribution, crypto.symbol))
    rows: list[portfolio_pb2.PortfolioCrypto | str] = list(ranked)
    if len(ranked) > most:
        half = most // 2
        rows = [*ranked[:half], f"[dim]… {len(ranked) - 2 * half:,} more …[/dim]", *ranked[-half:]]
    cells = [_crypto_cells(row, capital) for row in rows]
    left_out = {"skipped": 1, "turnover": 2, "trades": 3}
    return fitted_table(
        width,
        [
            TableColumn(
                heading, [row[heading] for row in cells], left_out.get(heading, 0), left=heading == "crypto"
            )
            for heading in (cells[0] if cells else ())
        ],
    )


def _crypto_cells(row: portfolio_pb2.PortfolioCrypto | str, capital: float) -> dict[str, str]:
    headings = ("crypto", "contribution", "of the capital", "trades", "turnover", "skipped")
    if isinstance(row, str):
        return dict.fromkeys(headings, "") | {"crypto": row}
    skipped = sum(getattr(row.skipped, name) for name in _SKIPPED)
    return dict(
        zip(
            headings,
            (
                row.symbol,
                f"{row.contribution:+z,.2f}",
                colored(row.contribution / capital),
                f"{row.trade_count:,}" + (f"+{row.open_trade_count}" if row.open_trade_count else ""),
                f"{row.turnover:,.0f}",
                f"{skipped:,}",
            ),
            strict=True,
        )
    )


def correlation_lines(correlation: portfolio_pb2.PositionCorrelation) -> list[str]:
    """Return the mean correlation of the cryptos' positions, and the pairs with the highest and lowest."""
    symbols, values = correlation.symbols, iter(correlation.values)
    pairs = [
        (value, f"{symbols[column]} and {symbols[row]}")
        for row in range(len(symbols))
        for column in range(row)
        if not math.isnan(value := next(values))
    ]
    if not pairs:
        return []
    pairs.sort(reverse=True)
    mean = fmean(value for value, _ in pairs)
    lines = [
        f"correlation of the positions' returns: mean {mean:z.2f} of {counted(len(pairs), 'pair')} of cryptos"
    ]
    if len(pairs) > 2 * _MOST_PAIRS:
        for word, some in (("highest", pairs[:_MOST_PAIRS]), ("lowest", pairs[: -_MOST_PAIRS - 1 : -1])):
            lines.append(f"{word}: {', '.join(f'{pair} {value:z.2f}' for value, pair in some)}")
    return lines
