"""`backcast compare`: strategies side by side on the same cryptos, against numbers computed here."""

import json
import math
import statistics
from typing import Any

import pytest

from tests.cli.conftest import Cli, write_csv

SYMBOLS = [f"COMP{letter}USDT" for letter in "ABCDEFG"]
# 30 hours of candles: none of them is a week, and 7 of them are 4 hours.
SHORT = "COMPSHORTUSDT"
WINDOW = ("--start", "2024-01-02", "--end", "2024-01-20")
RATIOS = {"sharpe_ratio", "sortino_ratio", "calmar_ratio"}
STRATEGIES = (
    "rsi",
    "supertrend --interval 4h --param period=5",
    "rules --entry 'rsi(5) < 40 and close > 0' --exit 'close < sma(20)' --fee 0.3%",
)


@pytest.fixture(scope="session")
async def compared(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("compared")
    for seed, symbol in enumerate(SYMBOLS):
        write_csv(folder / f"{symbol}.csv", seed + 300)
    write_csv(folder / f"{SHORT}.csv", 310, hours=30)
    assert (await cli("import", folder)).status == 0
    return ",".join(SYMBOLS)


async def lines_of(cli: Cli, *arguments: str) -> dict[str, list[dict[str, Any]]]:
    """Return the lines of a comparison by their kinds."""
    finished = await cli("compare", *arguments, "--format", "jsonl")
    assert finished.status == 0, finished.err
    found: dict[str, list[dict[str, Any]]] = {}
    for line in map(json.loads, finished.out.splitlines()):
        ((kind, content),) = line.items()
        found.setdefault(kind, []).append(content)
    return found


async def metrics_of(cli: Cli, *arguments: str) -> dict[str, dict[str, float]]:
    """Return the metrics of a run by crypto, as they count in statistics."""
    finished = await cli("run", *arguments, "--format", "jsonl")
    assert finished.status == 0, finished.err
    events = map(json.loads, finished.out.splitlines())
    metrics = {event["result"]["symbol"]: event["result"]["metrics"] for event in events if "result" in event}
    for figures in metrics.values():
        if not figures["trade_count"] + figures["open_trade_count"]:
            figures.update(dict.fromkeys(RATIOS, 0.0))
    return metrics


def quantile(values: list[float], fraction: float) -> float:
    """Return a quantile with linear interpolation between the two nearest values."""
    ordered = sorted(values)
    rank = fraction * (len(ordered) - 1)
    below = math.floor(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


async def test_the_numbers_are_those_of_the_runs(cli: Cli, compared: str) -> None:
    common = ("--symbols", compared, *WINDOW, "--stop-loss", "5%")
    lines = await lines_of(cli, *STRATEGIES, *common)
    runs = [
        await metrics_of(cli, "rsi", *common),
        await metrics_of(cli, "supertrend", "--interval", "4h", "--param", "period=5", *common),
        await metrics_of(
            *(cli, "rules", "--entry", "rsi(5) < 40 and close > 0", "--exit", "close < sma(20)"),
            *("--fee", "0.3%", *common),
        ),
    ]
    assert [line["letter"] for line in lines["strategy"]] == ["A", "B", "C"]
    for line, run in zip(lines["strategy"], runs, strict=True):
        assert line["crypto_count"] == len(SYMBOLS) == len(run)
        for metric in ("total_return", "sharpe_ratio", "max_drawdown", "win_rate"):
            values = [figures[metric] for figures in run.values() if metric in figures]
            assert line["mean"][metric] == pytest.approx(statistics.mean(values), rel=1e-12)
            for name, fraction in (("quantile_05", 0.05), ("quantile_50", 0.5), ("quantile_95", 0.95)):
                assert line[name][metric] == pytest.approx(quantile(values, fraction), rel=1e-12)
        returns = [(figures["total_return"], figures["buy_and_hold_return"]) for figures in run.values()]
        assert line["share_gained"] == sum(gain > 0 for gain, _ in returns) / len(returns)
        assert line["share_beat_holding"] == sum(gain > hold for gain, hold in returns) / len(returns)
    assert [line["letter"] for line in lines["difference"]] == ["B", "C"]
    for line, run in zip(lines["difference"], runs[1:], strict=True):
        for metric in ("total_return", "sharpe_ratio", "max_drawdown", "trade_count"):
            paired = [run[symbol][metric] - runs[0][symbol][metric] for symbol in SYMBOLS]
            error = statistics.stdev(paired) / math.sqrt(len(paired))
            assert line["mean"][metric] == pytest.approx(statistics.mean(paired), rel=1e-12)
            assert line["median"][metric] == pytest.approx(statistics.median(paired), rel=1e-12)
            assert line["t_statistic"][metric] == pytest.approx(statistics.mean(paired) / error, rel=1e-9)
            assert line["higher_count"][metric] == sum(value > 0 for value in paired)
            assert line["lower_count"][metric] == sum(value < 0 for value in paired)
    assert [line["symbol"] for line in lines["crypto"]] == SYMBOLS
    first = lines["crypto"][0]["metrics"]
    assert first["B"]["total_return"] == runs[1][SYMBOLS[0]]["total_return"]
    requests = [line["request"]["spec"] for line in lines["strategy"]]
    assert [one["interval"] for one in requests] == ["INTERVAL_1H", "INTERVAL_4H", "INTERVAL_1H"]
    assert [one["execution"]["fee_rate"] for one in requests] == [0.001, 0.001, 0.003]
    assert {one["execution"]["stop_loss"]["fraction"] for one in requests} == {0.05}


async def test_all_strategies_have_the_window_of_the_first_one(cli: Cli, compared: str) -> None:
    lines = await lines_of(cli, "rsi --interval 1d", "rsi", "--symbols", compared)
    windows = [
        (line["request"]["spec"]["start_time"], line["request"]["spec"]["end_time"])
        for line in lines["strategy"]
    ]
    # 500 hours are 20 whole days: without the first strategy, the second would see 20 hours more.
    assert windows[0][1] == "2024-01-21T00:00:00Z"
    assert windows[0] == windows[1]


async def test_the_tables_say_what_is_compared(cli: Cli, compared: str) -> None:
    finished = await cli("compare", *STRATEGIES, "--symbols", compared, *WINDOW)
    assert finished.status == 0
    for text in (
        "A: rsi period 14, oversold 30, overbought 70",
        "B: supertrend period 5, multiple 3",
        "   4h candles",
        "   entry: rsi(5) < 40 and close > 0",
        "   fee 0.300%, slippage 0 bps",
        "7 cryptos from 2024-01-02 to 2024-01-20 (UTC)",
        "gained  beat holding",
        "of the cryptos",
        "differences from A, crypto by crypto",
        "B supertrend",
        "C rules",
    ):
        assert text in finished.out


async def test_columns_are_the_metrics_that_were_asked_for(cli: Cli, compared: str) -> None:
    shown = await cli("compare", "rsi", "macd", "--symbols", compared, *WINDOW, "--columns", "cagr,win_rate")
    headings = next(line for line in shown.out.splitlines() if line.split()[:1] == ["medians"])
    assert headings.split() == ["medians", "CAGR", "wins", "gained", "beat", "holding"]


async def test_a_crypto_without_a_result_of_all_is_not_compared(cli: Cli, compared: str) -> None:
    asked = ("compare", "rsi", "rsi --interval 1d --param period=3", "--symbols", f"{compared},{SHORT}")
    finished = await cli(*asked, "--start", "2024-01-01", "--end", "2024-01-20")
    assert finished.status == 1
    assert "7 cryptos from" in finished.out
    assert f"B: {SHORT}: " in finished.out
    assert "not compared: 1 crypto without a result of all" in finished.out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["rsi"], "STRATEGY: 2 to 6 strategies can be compared, not 1: quote each with its options"),
        (["rsi"] * 7, "STRATEGY: 2 to 6 strategies can be compared, not 7"),
        (["rsi", "rsii"], "strategy 2: there is no strategy 'rsii': did you mean rsi?"),
        (["rsi", " "], "strategy 2: is empty"),
        (["rsi", "rsi --param perod=7"], "strategy 2, --param perod: rsi has no such parameter"),
        (["rsi --param period=1", "rsi"], "strategy 1, --param period: must be from 2 to 10000, not 1"),
        (["rsi", "rsi --start 2024-01-05"], "strategy 2, --start: is the same for all strategies"),
        (["rsi", "macd", "rsi --symbols CLIAUSDT"], "strategy 3, --symbols: is the same for all strategies"),
        (["rsi", "rsi --intervall 4h"], "strategy 2: 'rsi --intervall 4h': no such option: --intervall"),
        (["rsi", "rsi --detail trades"], "strategy 2: 'rsi --detail trades': no such option: --detail"),
        (["rsi", "rules --entry rsi(14)<30 x"], "strategy 2: 'rules --entry rsi(14)<30 x': got unexpected"),
        (
            ["rsi", "rules --entry 'rsi(14) <"],
            'strategy 2: "rules --entry \'rsi(14) <": no closing quotation',
        ),
        (["rsi", "rsi --fee 5"], "strategy 2, --fee: 5 would be 500 %"),
        (["rsi", "rsi --fee 100%"], "strategy 2, --fee: must be at least 0 and below 1, not 1"),
        (["rsi", "macd", "--fee", "x"], "--fee: 'x' is not a fraction"),
        (["rsi", "macd", "--columns", "luck"], "--columns: there is no metric 'luck'"),
        (["rsi", "macd", "--symbols", "NOSUCH"], "--symbols: there is no crypto 'NOSUCH'"),
        (
            ["rsi", "rsi --interval 1w", "--symbols", SHORT],
            "no crypto has a result of all strategies: strategy 1 has 1, strategy 2 has 0, because",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_what_is_wrong_is_one_sentence(
    cli: Cli, compared: str, arguments: list[str], error: str
) -> None:
    symbols = () if "--symbols" in arguments else ("--symbols", compared)
    finished = await cli("compare", *arguments, *symbols)
    assert (finished.status, finished.out) == (1, "")
    assert finished.err.startswith(f"backcast: {error}")
    assert finished.err.count("\n") == 1


async def test_an_error_in_the_rules_of_a_strategy_is_pointed_at(cli: Cli, compared: str) -> None:
    finished = await cli("compare", "rsi", "rules --entry 'clsoe > 1'", "--symbols", compared)
    assert finished.err == (
        "backcast: strategy 2, --entry: at character 1: there is no clsoe: did you mean close?\n"
        "  clsoe > 1\n"
        "  ^^^^^\n"
    )


def test_options_within_quotes_replace_those_outside() -> None:
    from services.cli.options.compared import compared_requests
    from services.cli.options.run_options import Cache, CandleOptions, ExecutionOptions

    shared = ExecutionOptions(size_volatility="40%", volatility_period=9, slippage="5bps", take_profit="7%")
    requests = compared_requests(
        ["rsi --size-amount 50 --slippage-bps 3", "rsi --volatility-period 5", "rsi --take-profit 3atr"],
        CandleOptions(),
        shared,
        Cache.DEFAULT,
    )
    executions = [request.spec.execution for request in requests]
    assert [one.WhichOneof("size") for one in executions] == ["quote_amount", *["volatility_target"] * 2]
    assert [one.slippage_bps for one in executions] == [3, 5, 5]
    assert [one.volatility_target.period for one in executions[1:]] == [5, 9]
    assert [one.take_profit.WhichOneof("kind") for one in executions] == [
        "fraction",
        "fraction",
        "atr_multiple",
    ]
