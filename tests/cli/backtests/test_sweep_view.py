"""What a sweep shows: which rows, and the words about them."""

import io
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from rich.console import Console

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.gateway.v1 import sweep_pb2
from services.cli.views.best_rows import BestRows
from services.cli.views.failure_lines import failure_lines
from services.cli.views.sweep import SweepScreen
from services.cli.views.sweep_request import started_words
from services.cli.views.sweep_words import (
    overfitting_words,
    selection_bias_words,
    walk_forward_words,
)
from services.gateway.messages.sweeps import sweep_started
from tests.gateway.planning.test_sweep_plan import planned
from tests.requests import with_spec


def row(combination: int, cryptos: int, sharpe: float | None, trades: float = 5) -> sweep_pb2.SweepRow:
    made = sweep_pb2.SweepRow(
        combination=combination,
        crypto_count=cryptos,
        value_indexes=[0],
        median_trades=trades,
    )
    if sharpe is not None:
        made.train.median.sharpe_ratio = made.train.median.max_drawdown = sharpe
    return made


ROWS = [row(0, 4, 1.0), row(1, 1, 9.0), row(2, 2, 2.0), row(3, 4, 3.0), row(4, 0, None), row(5, 1, 8.0)]


@pytest.mark.parametrize("metric", ["sharpe_ratio", "max_drawdown"])
def test_rows_of_few_cryptos_come_last(metric: str) -> None:
    # Four cryptos have the metric for some combination: two are half of them.
    best = [3, 2, 0, 1, 5, 4] if metric == "sharpe_ratio" else [0, 2, 3, 5, 1, 4]
    for size in (3, 4, 6):
        # In whatever order they come, and though it is known late which are few.
        for together in (ROWS, ROWS[::-1], ROWS[1:] + ROWS[:1]):
            rows = BestRows(metric, size)
            for one in together:
                rows.add([one])
            assert [one.combination for one in rows.best()] == best[:size]
            assert [rows.is_sparse(one) for one in rows.best()] == [False, False, False, True, True, True][
                :size
            ]


def test_rows_that_hardly_trade_come_after_all_others() -> None:
    rows = BestRows("sharpe_ratio", 4, min_trades=2)
    rows.add([row(0, 4, 9.0, 1.5), row(1, 4, 0.5, 2), row(2, 1, 3.0, 9), row(3, 4, None, 2)])
    assert [one.combination for one in rows.best()] == [1, 3, 2, 0]
    assert [rows.trades_too_little(one) for one in rows.best()] == [False, False, False, True]


def test_where_nothing_is_defined_nothing_is_few() -> None:
    rows = BestRows("sharpe_ratio", 3)
    rows.add([row(0, 0, None), row(1, 0, None)])
    assert [rows.is_sparse(one) for one in rows.best()] == [False, False]


def shown(
    width: int = 160, terminal: bool = False, tested: dict[str, float] | None = None, **request: Any
) -> str:
    """Return what is printed of a sweep of the six rows."""
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)
    asked = with_spec(
        **{"strategy": {"rsi": {}}, "ranges": [{"name": "period", "values": [3]}], "symbols": ["A"]},
        **{"metric": "METRIC_SHARPE_RATIO", "bestTrialCount": 20, "interval": 1, **request},
    )
    started = {"request": asked, "combinationCount": 6, "trialCount": 24, "backtestCount": 24}
    best = [{"symbol": "A", "valueIndexes": [0]}]
    with SweepScreen(console) as view:
        for event in ({"started": started}, {"best": {"trials": best}}):
            view.show(ParseDict(event, pb.SweepBacktestsResponse()))
        view.show(pb.SweepBacktestsResponse(rows=sweep_pb2.SweepRows(rows=ROWS)))
        for symbol in "ABC":
            failure = {"symbol": symbol, "backtestCount": 1, "status": {"message": "no candles"}}
            view.show(ParseDict({"failure": failure}, pb.SweepBacktestsResponse()))
        winner = {**best[0], "test": tested or {}}
        summary = {"progress": {"total": 24}, "winner": winner}
        view.show(ParseDict({"summary": summary}, pb.SweepBacktestsResponse()))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_as_many_combinations_are_shown_as_asked_for(terminal: bool) -> None:
    assert "and 4 more combinations" in shown(terminal=terminal, bestTrialCount=2)
    assert "and 1 more combination:" in shown(terminal=terminal, bestTrialCount=5)
    assert "more combination" not in shown(terminal=terminal, bestTrialCount=6)


def test_combinations_come_before_single_cryptos() -> None:
    text = shown()
    assert text.index("combinations, medians over the cryptos") < text.index("the best single cryptos")


def test_rows_that_say_little_are_explained() -> None:
    line = "listed last: combinations whose Sharpe is defined on fewer than half of the cryptos"
    assert line in shown()
    assert line not in shown(terminal=True, bestTrialCount=3)


def test_rows_without_a_rank_are_explained() -> None:
    line = "listed last: combinations without a rank, with a median of fewer than 6 trades"
    assert line in shown(minTrades=6)
    assert "without a rank" not in shown(minTrades=5)


def test_the_results_of_the_folds_choices_are_printed() -> None:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    request = with_spec(
        **{"strategy": {"rsi": {}}, "ranges": [{"name": "period", "values": [3]}], "symbols": ["A"]},
        **{"metric": "METRIC_SHARPE_RATIO", "bestTrialCount": 20, "interval": 1, "foldCount": 2},
    )
    metrics = {"totalReturn": 0.25, "buyAndHoldReturn": -0.5, "sharpeRatio": 1.25, "maxDrawdown": 0.1}
    curve = {"metrics": {**metrics, "tradeCount": 7}, "equityCurve": {"equity": [10_000, 9_000, 12_500]}}
    summary = {
        "walkForward": {"folds": [{}, {}], "outOfSample": curve, "deflatedSharpeRatio": 0.75},
        "overfitting": {"probability": 0.125, "combinationCount": 12, "blockCount": 16, "splitCount": 12_870},
    }
    with SweepScreen(console) as view:
        for event in (
            {"started": {"request": request, "combinationCount": 1}},
            *({"outOfSample": {**curve, "symbol": symbol}} for symbol in ("AUSDT", "BUSDT")),
            {"outOfSample": {"symbol": "CUSDT", "metrics": {"totalReturn": 0}}},
            {"rows": {}},
            {"summary": summary},
        ):
            view.show(ParseDict(event, pb.SweepBacktestsResponse()))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for part in (
        "means over the folds of the tests' medians over the cryptos:\nSharpe",
        "out of sample, all cryptos with equal weights:\n"
        "return +25.0%, hold -50.0%, Sharpe 1.25, drawdown 10.0%, trades 7\n",
        "their equity: 10,000 ",
        " 12,500 (lowest 9,000, highest 12,500)\n",
        "deflated Sharpe ratio 0.750 (below 0.95: perhaps selection bias alone)\n",
        "1 of 3 cryptos has no result, and counts as 0\n",
        "probability of overfitting 0.125 (better than the 0.5 of chance, but not low):\n"
        "in this share of 12,870 splits of the time into halves, the best of\n"
        "12 combinations in one half was not above the median in the other\n",
        "BUSDT   +25.0%  -50.0%    1.25     10.0%       7",
    ):
        assert part in text
    # The second line has what was asked for.
    assert max(len(line) for line in text.splitlines()[2:]) <= 80
    # The value of the choice is printed before the tables.
    assert text.index("probability of overfitting") < text.index("combinations, medians over the cryptos")


def test_where_nothing_was_chosen_there_is_no_curve() -> None:
    summary = sweep_pb2.SweepSummary()
    summary.walk_forward.folds.add()
    assert walk_forward_words(summary.walk_forward, 80) == [
        "[yellow]no curve out of sample: nothing was chosen, or computed[/yellow]"
    ]


def test_means_over_folds_are_called_so() -> None:
    assert "the best single cryptos, means over 3 folds" in shown(foldCount=3)
    assert "combinations, medians over the cryptos of means over 3 folds" in shown(foldCount=3)
    assert "means" not in shown(split=0.5) + shown(foldCount=1)


def test_a_winner_without_a_result_in_the_test_part_is_named() -> None:
    line = "A, the winner, has no result in the test part"
    assert line in shown(split=0.5)
    assert line not in shown(split=0.5, tested={"sharpeRatio": -1.0})
    assert line not in shown()


def test_failures_of_one_reason_are_one_line() -> None:
    assert "3 cryptos (A, B, C): failed in 1 backtest, first because no candles\n" in shown()
    assert failure_lines([("A", "[x]"), ("B", "y"), ("C", "y")]) == [
        "[red]A[/red]: \\[x]",
        "[red]2 cryptos (B, C)[/red]: y",
    ]
    (line,) = failure_lines([(f"C{number:04}", "y") for number in reversed(range(1200))])
    assert line == "[red]1,200 cryptos (C0000, C0001, C0002, C0003, C0004, …)[/red]: y"
    *lines, more = failure_lines([(f"C{number}", f"reason {number}") for number in range(13)])
    assert (len(lines), more) == (10, "[red]… and 3 more failed[/red]")


def test_the_winner_is_not_worth_more_than_the_formula_says() -> None:
    summary = sweep_pb2.SweepSummary()
    summary.selection_bias.trial_count = 1200
    assert selection_bias_words(summary, "sharpe_ratio") == (
        "the winner was chosen from 1,200 trials: too few to estimate the selection bias"
    )
    summary.selection_bias.expected_maximum_sharpe_ratio = 4.36
    summary.selection_bias.deflated_sharpe_ratio = 0.2
    summary.winner.train.sharpe_ratio = -0.001
    assert selection_bias_words(summary, "total_return") == (
        "the winner was chosen by return from 1,200 trials: its Sharpe ratio is [bold]0.00[/bold]\n"
        "without any skill, the best of so many is expected to have [bold]4.36[/bold]\n"
        "deflated Sharpe ratio [red]0.200[/red] (below 0.95: perhaps selection bias alone)"
    )
    summary.selection_bias.deflated_sharpe_ratio = 0.95
    assert selection_bias_words(summary, "total_return").endswith(
        "deflated Sharpe ratio [green]0.950[/green] (0.95 or above: hardly selection bias alone)"
    )


@pytest.mark.parametrize(
    ("probability", "verdict"),
    [
        (0.05, "[green]0.050[/green] (low: chance is 0.5):"),
        (0.06, "[yellow]0.060[/yellow] (better than the 0.5 of chance, but not low):"),
        (0.5, "[red]0.500[/red] (no better than the 0.5 of chance):"),
    ],
)
def test_overfitting_has_a_verdict(probability: float, verdict: str) -> None:
    words = overfitting_words(
        sweep_pb2.Overfitting(probability=probability, split_count=70, combination_count=12)
    )
    assert words.startswith(f"probability of overfitting {verdict}\n")


@pytest.mark.parametrize(("split", "words"), [(0.7, "70%"), (0.0042, "0.42%"), (0.9988, "99.88%")])
def test_a_split_is_printed_exactly(split: float, words: str) -> None:
    assert f", the first {words} to rank by" in started_words(sweep_started(planned(split=split), "one"))


def test_one_combination_is_written_in_the_singular() -> None:
    assert "\n1 combination × 1 crypto, 1h" in started_words(
        sweep_started(planned(cryptos=1, periods=1, oversold=(20.0,)), "one")
    )
