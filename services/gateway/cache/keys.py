"""Keys of cached values: hashes over everything that the value depends on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from backcast_engine import ENGINE_VERSION, Backtest, Execution, Window
from backcast_engine.interval import Interval
from backcast_engine.portfolio import Portfolio
from backcast_engine.sweep import SETTINGS, Grid
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.run_plan import RunPlan
from services.gateway.planning.sweep_plan import SweepPlan

# Increase it whenever results are cached as another message than before.
_RESULT_FORMAT = 2
# Values of another version of the engine are never read: their numbers may differ.
_RESULT_PREFIX = f"backcast:result:v{ENGINE_VERSION}.{_RESULT_FORMAT}:"
_CHUNK_PREFIX = f"backcast:sweep:v{ENGINE_VERSION}:"
_PORTFOLIO_PREFIX = f"backcast:portfolio:v{ENGINE_VERSION}.{_RESULT_FORMAT}:"

# Floats are written so that they read back as the same floats, and sorted keys in one order only.
_ENCODER = json.JSONEncoder(sort_keys=True, default=lambda interval: interval.value)


class ResultKeys:
    """Keys of the results of one backtest on many cryptos; its rules look at the cryptos `others`."""

    def __init__(self, backtest: Backtest, others: Sequence[CryptoData] = ()) -> None:
        self._backtest = backtest
        self._others = OtherData(backtest, others)
        self._hash = hashlib.sha256(
            _json(
                {
                    "engine": ENGINE_VERSION,
                    "strategy": [backtest.strategy.name, asdict(backtest.strategy)],
                    "interval": backtest.interval.value,
                    "window": asdict(backtest.window),
                    "execution": _parts_of_execution(backtest.execution),
                    "detail": backtest.detail,
                    "curve_points": backtest.curve_points,
                }
            )
        )

    def key(
        self, crypto: CryptoData, fingerprint: str, other_fingerprints: Mapping[str, str] | None = None
    ) -> str:
        """Return the key of a crypto's result; `fingerprint` is that of the candles that the window sees.

        `other_fingerprints` are those of the data of the other cryptos that it was computed from, by symbol;
        None stands for the data that was listed.
        """
        digest = self._hash.copy()
        digest.update(_json([crypto.symbol, fingerprint, complete_until_s(self._backtest, crypto)]))
        digest.update(self._others.part(other_fingerprints))
        return _RESULT_PREFIX + digest.hexdigest()

    def key_of_result(
        self, crypto: CryptoData, data_fingerprint: str, other_fingerprints: Mapping[str, str]
    ) -> str:
        """Return the key under which to cache a result that was computed from data of these fingerprints."""
        return self.key(crypto, crypto.fingerprint_of_result(data_fingerprint), other_fingerprints)


class OtherData:
    """The part of keys that the data of other cryptos makes: empty where rules look at none."""

    def __init__(self, backtest: Backtest, others: Sequence[CryptoData]) -> None:
        self._backtest = backtest
        self._others = others
        self._listed = self._part({}) if others else b""

    def part(self, fingerprints: Mapping[str, str] | None) -> bytes:
        """Return the part for data of these fingerprints, by symbol; None stands for what was listed."""
        return self._part(fingerprints) if fingerprints and self._others else self._listed

    def _part(self, fingerprints: Mapping[str, str]) -> bytes:
        return _json(
            [
                [other.symbol, _seen_in(other, fingerprints), complete_until_s(self._backtest, other)]
                for other in self._others
            ]
        )


class ChunkKeys:
    """Keys of the chunks of one sweep.

    Of the ranges, a key has the chunk's own combinations only: another sweep with the same combinations in a
    chunk finds it.
    """

    def __init__(self, plan: SweepPlan) -> None:
        self._plan = plan
        sweep = plan.sweep
        base = asdict(sweep.grid.base)
        for name in sweep.grid.names:
            # Those of rules are no fields: the rules have placeholders for them.
            base.pop(name, None)
        execution = _parts_of_execution(sweep.execution)
        for setting in sweep.grid.settings:
            for field in SETTINGS[setting.name]:
                del execution[field]
        self._common = _digest(
            {
                "engine": ENGINE_VERSION,
                "strategy": [sweep.grid.base.name, base],
                "ranges": sweep.grid.names,
                "interval": sweep.interval.value,
                "windows": [asdict(window) for window in sweep.windows],
                "stretches": sweep.stretches,
                "execution": execution,
                "execution_ranges": [setting.name for setting in sweep.grid.settings],
            }
        )
        self._others = OtherData(plan.run.backtest, plan.run.others)
        self._values = _values_of(sweep.grid)
        self._by_chunk: dict[int, str] = {}

    def key(
        self,
        chunk: int,
        crypto: CryptoData,
        fingerprint: str,
        other_fingerprints: Mapping[str, str] | None = None,
    ) -> str:
        """Return the key of a crypto's chunk; for the fingerprints, see `ResultKeys.key`."""
        until_s = complete_until_s(self._plan.run.backtest, crypto)
        parts = [self._common, self._combinations(chunk), crypto.symbol, fingerprint, until_s]
        if others := self._others.part(other_fingerprints):
            parts.append(others.decode())
        return _CHUNK_PREFIX + _digest(parts)

    def _combinations(self, chunk: int) -> str:
        if chunk not in self._by_chunk:
            size, grid = self._plan.chunk_size, self._plan.request.grid
            positions = self._plan.possible[chunk * size : (chunk + 1) * size]
            self._by_chunk[chunk] = _digest(
                [
                    [
                        values[index]
                        for values, index in zip(self._values, grid.indexes(position), strict=True)
                    ]
                    for position in positions.tolist()
                ]
            )
        return self._by_chunk[chunk]


def _values_of(grid: Grid) -> list[Sequence[Any]]:
    """Return the values of each dimension of a grid, as JSON can have them."""
    settings = [
        [[asdict(value)[field] for field in SETTINGS[setting.name]] for value in setting.values]
        for setting in grid.settings
    ]
    # Chunks are of one interval.
    return [*grid.values, *settings]


class PortfolioKeys:
    """Keys of the results of portfolios on the same cryptos, whose data each of them depends on.

    `run` is a run of these cryptos, and of the others that the portfolios look at.
    """

    def __init__(self, run: RunPlan, cryptos: Sequence[CryptoData]) -> None:
        self._run, self._cryptos = run, cryptos
        # Of the data that was listed, by window and interval: many portfolios have the same.
        self._listed: dict[tuple[Window, Interval], list[object]] = {}

    def key(self, portfolio: Portfolio, fingerprints: Mapping[str, str] | None = None) -> str:
        """Return the key of a portfolio's result of data of these fingerprints, by symbol.

        Where there is none, it is that of the data that was listed.
        """
        seen = portfolio.window, portfolio.interval
        if fingerprints:
            data = self._data(*seen, fingerprints)
        else:
            data = self._listed.get(seen) or self._data(*seen, {})
            self._listed[seen] = data
        return _PORTFOLIO_PREFIX + _digest([data, _parts_of_portfolio(portfolio)])

    def _data(self, window: Window, interval: Interval, fingerprints: Mapping[str, str]) -> list[object]:
        backtest = replace(self._run.backtest, window=window, interval=interval)
        cryptos = [
            [crypto.symbol, _seen_in(crypto, fingerprints), complete_until_s(backtest, crypto)]
            for crypto in self._cryptos
        ]
        return [_digest(cryptos), OtherData(backtest, self._run.others).part(fingerprints).decode()]


def _parts_of_portfolio(portfolio: Portfolio) -> dict[str, Any]:
    """Return the parts of a portfolio, as JSON can have them."""
    parts = {field.name: getattr(portfolio, field.name) for field in fields(portfolio)}
    return {
        **parts,
        "engine": ENGINE_VERSION,
        "strategies": [
            [each.strategy.name, asdict(each.strategy), each.weight] for each in portfolio.strategies
        ],
        "interval": portfolio.interval.value,
        "window": asdict(portfolio.window),
        "execution": _parts_of_execution(portfolio.execution),
        "rank": None if portfolio.rank is None else asdict(portfolio.rank),
        "rebalancing": None if portfolio.rebalancing is None else asdict(portfolio.rebalancing),
    }


def _seen_in(crypto: CryptoData, fingerprints: Mapping[str, str]) -> str:
    """Return the fingerprint of what the window sees in data of these fingerprints, by symbol."""
    return crypto.fingerprint_of_result(fingerprints.get(crypto.symbol, crypto.fingerprint))


def complete_until_s(backtest: Backtest, crypto: CryptoData) -> int | None:
    """Return until when (Unix seconds) a crypto's candles in the window are complete; None for hourly ones.

    A longer candle exists once its time has passed by the end of the data. So hours after the window, and
    even after a gap, can complete a candle that the window sees: results before and after differ.
    """
    if backtest.interval is Interval.HOUR_1:
        return None
    seen_until_s = backtest.interval.next_opening(backtest.window.end_s)
    return min(crypto.over_until_s(backtest.interval), seen_until_s)


def _parts_of_execution(execution: Execution) -> dict[str, Any]:
    """Return the parts of an execution that a result depends on: consent to high costs is none of them."""
    parts = asdict(execution)
    del parts["allow_high_costs"]
    return parts


def _digest(parts: object) -> str:
    return hashlib.sha256(_json(parts)).hexdigest()


def _json(parts: object) -> bytes:
    return _ENCODER.encode(parts).encode()
