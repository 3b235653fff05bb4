"""The figures of a backtest, each from its definition: metrics, the curve, the months, the coverage."""

import math
from datetime import UTC, datetime

from backcast_engine import ExitReason

DAY_S = 86_400
MONDAY_S = 4 * DAY_S  # 1970-01-05

# Below this, relative to the money at stake, a number is what rounding left of nothing.
ROUNDING = 1e-14
# Between these, one may say that it is nothing, and the other not.
DOUBTFUL = (ROUNDING / 4, 1e-12)


def returns_of(equity, capital):
    # (b - a) / a is b / a - 1 with fewer digits lost. Where nothing is left, nothing can change.
    before = [capital, *equity[:-1]]
    return [
        _rounded((now - then) / then) if then > 0 else 0.0 for then, now in zip(before, equity, strict=True)
    ]


def drawdowns_of(equity, capital):
    peak, drawdowns = capital, []
    for value in equity:
        peak = max(peak, value)
        drawdowns.append((peak - value) / peak)
    return drawdowns


def is_doubtful(equity, capital, positions):
    """Return whether there is a gain or a loss of which one cannot say whether it is one."""
    before = [capital, *equity[:-1]]
    changes = [(now - then) / then for then, now in zip(before, equity, strict=True) if then > 0]
    changes += drawdowns_of(equity, capital) + [position.return_fraction for position in positions]
    return any(DOUBTFUL[0] < abs(change) < DOUBTFUL[1] for change in changes)


def _rounded(fraction):
    return 0.0 if abs(fraction) < ROUNDING else fraction


def metrics_of(times, holding, equity, positions, capital, interval_s):
    n = len(equity)
    returns = returns_of(equity, capital)
    root = math.sqrt(365 * DAY_S / interval_s)
    mean = math.fsum(returns) / n
    std = None
    if n > 1:
        std = math.sqrt(math.fsum((value - mean) ** 2 for value in returns) / (n - 1))
    downside = math.sqrt(math.fsum(min(value, 0.0) ** 2 for value in returns) / n)
    max_drawdown = _rounded(max(drawdowns_of(equity, capital)))

    cagr = None
    elapsed_s = times[-1] - times[0] + interval_s
    if elapsed_s >= 7 * DAY_S:
        try:
            cagr = (equity[-1] / capital) ** (365.25 * DAY_S / elapsed_s) - 1
        except OverflowError:
            cagr = None

    closed = [position for position in positions if position.exit is not None]
    trade_returns = [_rounded(position.return_fraction) for position in closed]
    winners = [position for position in closed if _rounded(position.return_fraction) > 0]
    losers = [position for position in closed if _rounded(position.return_fraction) < 0]
    gains = math.fsum(position.profit for position in winners)
    losses = math.fsum(-position.profit for position in losers)
    held_closes = 0
    for t in range(n):
        for position in positions:
            end = n if position.exit is None else position.exit
            if position.reason is ExitReason.BREAK:
                # Closed at a close that counts.
                end += 1
            if position.entry <= t < end:
                held_closes += 1
    return {
        "total_return": equity[-1] / capital - 1,
        "final_equity": equity[-1],
        "buy_and_hold_return": holding,
        "cagr": cagr,
        "annual_volatility": None if std is None else std * root,
        "sharpe_ratio": mean / std * root if std else None,
        "sortino_ratio": mean / downside * root if downside else None,
        "calmar_ratio": cagr / max_drawdown if cagr is not None and max_drawdown else None,
        "max_drawdown": max_drawdown,
        "exposure": held_closes / n,
        "fees_paid": math.fsum(position.entry_fee + position.exit_fee for position in positions),
        "trade_count": len(closed),
        "open_trade_count": len(positions) - len(closed),
        "win_rate": len(winners) / len(closed) if closed else None,
        "profit_factor": gains / losses if losses else None,
        "expectancy": math.fsum(trade_returns) / len(closed) if closed else None,
        "best_trade": max(trade_returns) if closed else None,
        "worst_trade": min(trade_returns) if closed else None,
        "borrow_paid": math.fsum(position.borrowed for position in positions),
        "funding_paid": math.fsum(position.funded for position in positions),
    }


def months_of(times, equity, capital):
    """Return year, month and return of each month (UTC) that has a close; the return is None after ruin."""
    months, last, before = [], None, capital
    for time_s, value in zip(times, equity, strict=True):
        opened = datetime.fromtimestamp(time_s, UTC)
        if (opened.year, opened.month) != last:
            if last is not None:
                before = months[-1][2]
            last = opened.year, opened.month
            months.append([*last, value, before])
        months[-1][2] = value
    return [(year, month, (value - then) / then if then > 0 else None) for year, month, value, then in months]


def coverage_of(times, window, interval_s):
    """Return how many candles the window would hold, how many are missing, and the longest gap."""
    present = set(times)
    expected = missing = gap = longest_gap = 0
    opening = window.start_s
    if (opening - MONDAY_S) % interval_s != 0:
        opening += interval_s - (opening - MONDAY_S) % interval_s
    while opening < window.end_s:
        expected += 1
        if opening in present:
            gap = 0
        else:
            missing += 1
            gap += 1
            longest_gap = max(longest_gap, gap)
        opening += interval_s
    return expected, missing, longest_gap


def holding_of(parts, at_close):
    """Return what holding brings over parts, each its opens and closes; None where nothing can be held."""
    growth = None
    for opens, closes in parts:
        if at_close:
            first_price = closes[0]
        elif len(opens) > 1:
            first_price = opens[1]
        else:
            continue
        growth = (1.0 if growth is None else growth) * closes[-1] / first_price
    return None if growth is None else growth - 1


def missing_hours_of(times, partial, window, interval_s):
    """Return how many hours have no candle, from the first to the end of the last candle there could be."""
    present, hours, missing = set(times), interval_s // 3_600, 0
    opening = window.start_s
    while (opening - MONDAY_S) % interval_s != 0:
        opening += 1
    while opening < window.end_s:
        if opening not in present:
            missing += hours
        elif opening in partial:
            missing += hours - partial[opening]
        opening += interval_s
    return missing
