"""Breaks and partial candles from the data service's messages to a worker's result, and its message."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backcast.backtest.v1 import execution_pb2, result_pb2
from backcast.marketdata.v1 import market_data_service_pb2 as pb
from backcast.marketdata.v1.break_pb2 import BREAK_STATE_CONFIRMED
from backcast_engine import (
    Backtest,
    BacktestResult,
    BreakRule,
    Detail,
    Execution,
    ExitReason,
    Window,
    run_backtest,
)
from backcast_engine.breaks import Break
from backcast_engine.errors import InvalidInput
from backcast_engine.history import PartialCandles
from backcast_engine.interval import Interval
from backcast_engine.strategies.buy_and_hold import BuyAndHold
from backcast_engine.times import EARLIEST_S
from services.compute.candles.column_files import ColumnFiles
from services.compute.candles.location import DataVersion
from services.compute.candles.source import HistoryBlocks
from services.compute.tasks.batch import LocatedTask, Task, TaskBatch, run_batch
from services.wire.backtests import execution_to
from services.wire.breaks import break_from, break_to
from services.wire.candles import candles_to, partial_candles_from, partial_candles_to
from services.wire.results import result_message
from tests.candle_making import START_S, random_candles
from tests.requests import execution_of

DAY_S = 86_400
DAYS = replace(
    random_candles(7, 60), open_time_s=START_S + DAY_S * np.arange(60, dtype=np.int64), volume=np.ones(60)
)
# The second at noon of day 40, which holds prices of both sides.
BREAKS = (
    Break(START_S + 20 * DAY_S - 3600, START_S + 20 * DAY_S, 100.0, 1e7),
    Break(START_S + 40 * DAY_S + 11 * 3600, START_S + 40 * DAY_S + 12 * 3600, 50.0, 0.05),
)
PARTIAL = PartialCandles(DAYS.open_time_s[[3, 59]], np.array([2, 23]))
COLUMNS = ("open", "high", "low", "close", "volume")


def responses(symbol: str) -> list[pb.StreamCandlesResponse]:
    """Return what the data service streams: the last block describes the whole history."""
    first, last = (
        pb.CandleBlock(symbol=symbol, columns=candles_to(block), fingerprint="1")
        for block in (DAYS[:35], DAYS[35:])
    )
    last.last_block = True
    last.breaks.extend(map(break_to, BREAKS))
    last.breaks[0].state = BREAK_STATE_CONFIRMED
    last.partial_candles.CopyFrom(partial_candles_to(PARTIAL))
    return [pb.StreamCandlesResponse(blocks=[block]) for block in (first, last)]


def computed(folder: Path, execution: Execution) -> BacktestResult:
    """Put the blocks together, write them, and have a worker's task read them."""
    blocks = HistoryBlocks(COLUMNS, EARLIEST_S)
    # Those of one crypto have no say in another's.
    for response in responses("AUSDT"):
        blocks.add(response)
    *_, (history,) = map(blocks.add, responses("BUSDT"))
    files = ColumnFiles(folder, 1.0)
    (missing,) = files.missing([DataVersion("BUSDT", "1")], Interval.DAY_1, COLUMNS)
    data = files.write(missing, Interval.DAY_1, history)
    window = Window(START_S, START_S + 60 * DAY_S)
    asked = Backtest(BuyAndHold(), Interval.DAY_1, window, execution, Detail.EQUITY)
    located = LocatedTask(files.stored(data, Interval.DAY_1, COLUMNS), Task(run_backtest, asked))
    (outcome,) = run_batch(TaskBatch([located])).results
    result: BacktestResult = outcome.value
    return result


def test_a_worker_s_result_has_the_breaks_of_the_stream(tmp_path: Path) -> None:
    result = computed(tmp_path, Execution(break_rule=BreakRule.SPLIT))
    assert result.breaks == BREAKS
    assert [trade.exit_reason for trade in result.trades] == [
        ExitReason.BREAK,
        ExitReason.BREAK,
        ExitReason.NOT_CLOSED,
    ]
    assert (result.coverage.missing_candles, result.coverage.missing_hours) == (1, 22 + 1)
    assert [(part.first_candle_s - START_S) // DAY_S for part in result.parts] == [0, 20, 41]


def test_the_message_of_a_result_has_its_breaks_and_parts(tmp_path: Path) -> None:
    result = computed(tmp_path, Execution(break_rule=BreakRule.SPLIT))
    message = result_message(result)
    assert tuple(map(break_from, message.breaks)) == BREAKS
    assert message.trades[0].exit_reason == result_pb2.EXIT_REASON_BREAK
    assert message.coverage.missing_hours == 23
    for part, expected in zip(message.parts, result.parts, strict=True):
        assert part.first_candle_time.seconds == expected.first_candle_s
        assert part.last_candle_time.seconds == expected.last_candle_s
        assert part.metrics.total_return == expected.metrics.total_return
        # A figure that is undefined is absent.
        assert not part.metrics.HasField("win_rate")


def test_the_rule_at_breaks_is_part_of_an_execution() -> None:
    assert execution_of(execution_pb2.Execution()).break_rule is BreakRule.CLOSE
    for rule in BreakRule:
        message = execution_to(Execution(break_rule=rule))
        assert execution_pb2.BreakRule.Name(message.break_rule) == f"BREAK_RULE_{rule.name}"
        assert execution_of(message).break_rule is rule
    with pytest.raises(InvalidInput, match=r"execution\.break_rule"):
        execution_of(execution_pb2.Execution(break_rule=9))  # type: ignore[arg-type]  # what there is not


def test_partial_candles_of_two_lengths_are_refused() -> None:
    message = partial_candles_to(PARTIAL)
    message.hours.append(1)
    with pytest.raises(InvalidInput, match="partial_candles"):
        partial_candles_from(message)
