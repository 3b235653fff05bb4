"""The summary of a run and the table after it: quantiles, breaks, and which rows and columns."""

import io
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from rich.console import Console

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine.errors import InvalidInput
from services.cli.views.failure_lines import left_out_line
from services.cli.views.metric_cells import metric_names
from services.cli.views.result_tables import ranked
from services.cli.views.run import RunScreen
from tests.requests import with_spec

BREAK = {"beforeTime": "2022-05-13T01:00:00Z", "afterTime": "2022-05-31T06:00:00Z", "close": 0.1, "open": 9.0}


def result(symbol: str, **metrics: float) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "metrics": {"trade_count": 3, "open_trade_count": 0, **metrics},
        "coverage": {"expectedCandles": 100},
    }


LUNA = result("LUNAUSDT", total_return=-0.5, sharpe_ratio=-1.0) | {"breaks": [BREAK]}
RESULTS = [
    LUNA,
    result("AUSDT", total_return=0.2, sharpe_ratio=0.5, max_drawdown=0.4, expectancy=0.0123),
    result("BUSDT", total_return=0.1, max_drawdown=0.1, calmar_ratio=2.5),
]
METRICS = {"total_return": -0.1, "buy_and_hold_return": 0.25, "sharpe_ratio": 0.0, "max_drawdown": 0.3}
SUMMARY = {
    "progress": {"completed": 3, "total": 3},
    "mean": METRICS,
    "best": {"symbol": "AUSDT", "totalReturn": 0.2},
    "worst": {"symbol": "LUNAUSDT", "totalReturn": -0.5},
    "cryptosWithoutTrades": 12,
    "cryptosWithBreaks": 1,
    "spread": {
        **{f"quantile{part:02}": {"total_return": part / 100 - 0.5} for part in (5, 25, 50, 75, 95)},
        "shareGained": 0.2345,
        "shareBeatHolding": 0.6,
    },
}


def shown(
    *results: dict[str, Any],
    width: int = 80,
    request: dict[str, Any] | None = None,
    later: int = 0,
    idle: int = 12,
    **options: Any,
) -> list[str]:
    """Return the lines that are printed of a run."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    asked = with_spec(**{"strategy": {"rsi": {}}, "interval": "INTERVAL_1H", **(request or {})})
    left_out = [{"symbol": "ODDUSDT", "firstCandleTime": "2017-07-14T02:00:00Z"}]
    events: list[dict[str, Any]] = [
        {
            "started": {
                "request": asked,
                "cryptoCount": 3,
                "leftOut": left_out,
                "cryptosWithLaterCandles": later,
            }
        }
    ]
    events += [{"result": one} for one in results]
    progress = {"completed": len(results), "total": len(results)}
    summary = {**SUMMARY, "progress": progress, "cryptosWithoutTrades": idle}
    with RunScreen(console, **options) as view:
        for event in [*events, {"summary": summary}]:
            view.show(ParseDict(event, pb.RunBacktestsResponse()))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_summary_comes_first_and_the_rows_after_it() -> None:
    lines = shown(*RESULTS)
    assert max(map(len, lines)) <= 80
    starts = [line.split("  ")[0].strip() for line in lines]
    places = [
        starts.index(one) for one in ("of the cryptos", "return", "crypto", "AUSDT", "BUSDT", "LUNAUSDT*")
    ]
    assert places == sorted(places)
    assert lines[places[0]].split("  ")[-1].strip() == "mean"
    assert lines[places[1]].split() == ["return", "-45.0%", "-25.0%", "+0.0%", "+25.0%", "+45.0%", "-10.0%"]
    for line in (
        "23% gained, 60% beat holding, 12 without a trade, 1 with breaks",
        "best: AUSDT +20.0%, worst: LUNAUSDT -50.0%",
        "LUNAUSDT* breaks on 2022-05-31",
        "positions are closed before a break, and indicators start again after it",
    ):
        assert lines.index(line) < places[2]


def test_the_summary_says_that_no_crypto_traded() -> None:
    note = "no crypto traded: the entry was never true, or could never be filled"
    assert note in shown(*RESULTS, idle=3)
    assert note not in shown(*RESULTS, idle=2)
    assert note in shown(LUNA, idle=1)


def test_one_crypto_has_no_spread() -> None:
    text = "\n".join(shown(RESULTS[1]))
    assert "of the cryptos" not in text
    assert "gained" not in text


def test_parts_of_a_split_history_follow_as_rows() -> None:
    parts = [
        {
            "firstCandleTime": "2022-01-01T00:00:00Z",
            "lastCandleTime": "2022-05-13T01:00:00Z",
            "metrics": {"total_return": -0.9, "trade_count": 1},
        },
        {
            "firstCandleTime": "2022-05-31T06:00:00Z",
            "lastCandleTime": "2022-12-31T23:00:00Z",
            "metrics": {"total_return": 4.0, "trade_count": 2},
        },
    ]
    request = {"execution": {"breakRule": "BREAK_RULE_SPLIT"}}
    lines = shown({**LUNA, "parts": parts}, RESULTS[1], request=request)
    row = max(number for number, line in enumerate(lines) if line.split()[:1] == ["LUNAUSDT*"])
    assert lines[row + 1].split()[:4] == ["2022-01-01", "–", "2022-05-13", "-90.0%"]
    assert lines[row + 2].split()[:4] == ["2022-05-31", "–", "2022-12-31", "+400.0%"]
    place = lines.index("LUNAUSDT* breaks on 2022-05-31")
    assert lines[place + 1] == "the figures of each part are shown below its crypto"
    assert any("histories split at breaks" in line for line in lines)


def test_many_breaks_are_counted() -> None:
    twice = {**LUNA, "breaks": [BREAK, {**BREAK, "afterTime": "2023-01-02T00:00:00Z"}]}
    many = [{**twice, "symbol": f"C{number}"} for number in range(8)]
    lines = shown(*many)
    first = "C0* breaks on 2022-05-31 and 2023-01-02"
    assert lines[lines.index(first) + 5] == "… and 3 more cryptos with breaks, marked with *"


def order_of(lines: list[str]) -> list[str]:
    """Return the cryptos in the order of the table's rows."""
    start = max(number for number, line in enumerate(lines) if line.lstrip().startswith("crypto "))
    symbols = [line.split()[0].rstrip("*") for line in lines[start:] if line.strip()]
    return [one for one in symbols if one.endswith("USDT")]


def test_rows_are_sorted_by_any_metric() -> None:
    assert order_of(shown(*RESULTS)) == ["AUSDT", "BUSDT", "LUNAUSDT"]
    # Where it is undefined, a crypto comes last.
    assert order_of(shown(*RESULTS, sort="sharpe_ratio")) == ["AUSDT", "LUNAUSDT", "BUSDT"]
    assert order_of(shown(*RESULTS, sort="max_drawdown")) == ["BUSDT", "AUSDT", "LUNAUSDT"]
    # A crypto without a trade counts with a ratio of 0.
    idle = result("IDLEUSDT", total_return=0.0) | {"metrics": {"trade_count": 0, "open_trade_count": 0}}
    with_idle = order_of(shown(*RESULTS, idle, sort="sharpe_ratio"))
    assert with_idle == ["AUSDT", "IDLEUSDT", "LUNAUSDT", "BUSDT"]
    equal = [ParseDict({"result": one}, pb.RunBacktestsResponse()).result for one in RESULTS]
    assert [one.symbol for one in ranked(equal, "trade_count")] == ["AUSDT", "BUSDT", "LUNAUSDT"]


def test_columns_are_those_that_were_asked_for() -> None:
    lines = shown(*RESULTS, columns=["calmar_ratio", "expectancy", "trade_count"])
    assert ["crypto", "Calmar", "expectancy", "trades"] in [line.split() for line in lines]
    assert ["AUSDT", "–", "+1.2%", "3"] in [line.split() for line in lines]
    assert ["BUSDT", "2.50", "–", "3"] in [line.split() for line in lines]


def test_hours_that_are_missing_in_days_are_missing() -> None:
    day = result("AUSDT", total_return=0.1)
    whole, made_of_two_hours = day, {**day, "coverage": {"expectedCandles": 10, "missingHours": 22}}
    lines = shown(whole, made_of_two_hours, request={"interval": "INTERVAL_1D"})
    line = "1 of 2 have candles only for a part of the window (the least: 91% of its hours)"
    assert line in lines
    assert line not in shown(whole, whole, request={"interval": "INTERVAL_1D"})


def test_what_is_left_out_is_one_sentence() -> None:
    started = pb.RunStarted()
    assert left_out_line(started.left_out) is None
    ParseDict({"leftOut": [{"symbol": f"C{number}"} for number in range(7)]}, started)
    assert left_out_line(started.left_out) == (
        "[yellow]7 cryptos are left out: they have no whole candle in the window "
        "(C0, C1, C2, C3, C4, …)[/yellow]"
    )
    assert any(line.startswith("ODDUSDT (2017-07-14 to ") for line in shown(*RESULTS))


@pytest.mark.parametrize(("later", "some"), [(1, "1 crypto has"), (12, "12 cryptos have")])
def test_candles_after_a_default_window_are_reported(later: int, some: str) -> None:
    line = f"{some} candles after the window's end: --end or --symbols chooses another"
    assert line in shown(*RESULTS, later=later)
    assert "after the window" not in "\n".join(shown(*RESULTS))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sharp_ratio", "--columns: there is no metric 'sharp_ratio': did you mean sharpe_ratio or"),
        ("cagr,", "--columns: there is no metric ''"),
    ],
)
def test_metrics_that_there_are_not(text: str, fault: str) -> None:
    assert metric_names("cagr, win_rate", "--columns") == ["cagr", "win_rate"]
    with pytest.raises(InvalidInput) as caught:
        metric_names(text, "--columns")
    assert str(caught.value).startswith(fault)
