"""Lists and candles of the server, as columns."""

from typing import Any

import numpy as np

from backcast.enumerations import short_name
from backcast.frames import Columns, Names, Times
from backcast.gateway.v1.run_service_pb2 import RunState
from backcast.gateway.v1.strategy_description_pb2 import ParameterType
from backcast.marketdata.v1.crypto_pb2 import CryptoKind
from backcast.result import time_column
from backcast.wire import joined

_CANDLES = ("open", "high", "low", "close", "volume")


class CandleBlocks:
    """The blocks of a stream of candles, as columns."""

    def __init__(self) -> None:
        self._symbols: list[str] = []
        self._codes: list[int] = []
        self._columns: list[Any] = []

    def add(self, response: Any) -> None:
        """Add a StreamCandlesResponse."""
        for block in response.blocks:
            if not self._symbols or self._symbols[-1] != block.symbol:
                self._symbols.append(block.symbol)
            if block.columns.open_time_s:
                self._codes.append(len(self._symbols) - 1)
                self._columns.append(block.columns)

    def columns(self, *, with_symbols: bool) -> Columns:
        """Return the columns; those of a single block are not copied."""
        times = self._column("open_time_s", "<i8")
        columns: dict[str, Any] = {"time": Times(times)}
        if with_symbols:
            lengths = [len(block.open_time_s) // 8 for block in self._columns]
            codes = np.repeat(np.array(self._codes, np.int32), lengths)
            columns = {"symbol": Names(self._symbols, codes), **columns}
        return columns | {name: self._column(name, "<f8") for name in _CANDLES}

    def _column(self, name: str, dtype: str) -> Any:
        return joined([np.frombuffer(getattr(block, name), dtype) for block in self._columns], dtype)


def crypto_columns(cryptos: list[Any]) -> Columns:
    """Return the columns of cryptos."""
    return {
        "symbol": [crypto.symbol for crypto in cryptos],
        "kind": [short_name(CryptoKind.DESCRIPTOR, crypto.kind).lower() for crypto in cryptos],
        "first_candle_time": time_column(cryptos, "first_candle_time"),
        "last_candle_time": time_column(cryptos, "last_candle_time"),
        "candle_count": np.array([crypto.candle_count for crypto in cryptos], np.int64),
        "synthetic": np.array([crypto.synthetic for crypto in cryptos], np.bool_),
    }


def strategy_columns(strategies: list[Any]) -> Columns:
    """Return the columns of the parameters of strategies."""
    rows = [(one.name, parameter) for one in strategies for parameter in one.parameters]
    defaults = [getattr(one.default_value, one.default_value.WhichOneof("kind")) for _, one in rows]
    return {
        "strategy": [name for name, _ in rows],
        "parameter": [one.name for _, one in rows],
        "type": [short_name(ParameterType.DESCRIPTOR, one.type).lower() for _, one in rows],
        "default": [f"{value:g}" if isinstance(value, float) else str(value) for value in defaults],
        "minimum": _optional([one for _, one in rows], "minimum"),
        "maximum": _optional([one for _, one in rows], "maximum"),
        "choices": [", ".join(one.choices) for _, one in rows],
        "help": [one.help for _, one in rows],
    }


def run_columns(runs: list[Any]) -> Columns:
    """Return the columns of runs."""
    return {
        "run_id": [run.run_id for run in runs],
        "method": [run.method for run in runs],
        "client": [run.client for run in runs],
        "state": [short_name(RunState.DESCRIPTOR, run.state).lower() for run in runs],
        "strategy": [run.strategy for run in runs],
        "start_time": time_column(runs, "start_time"),
        "elapsed_s": np.array([run.elapsed.ToTimedelta().total_seconds() for run in runs], np.float64),
        "done_backtest_count": np.array([run.done_backtest_count for run in runs], np.int64),
        "backtest_count": np.array([run.backtest_count for run in runs], np.int64),
        "watcher_count": np.array([run.watcher_count for run in runs], np.int64),
    }


def _optional(messages: list[Any], name: str) -> Any:
    return np.array([getattr(one, name) if one.HasField(name) else np.nan for one in messages], np.float64)
