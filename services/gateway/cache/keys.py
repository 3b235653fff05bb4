"""Keys of cached values: hashes over everything that the value depends on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from backcast_engine import ENGINE_VERSION, Backtest, Execution
from backcast_engine.interval import Interval
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.portfolio_plan import PortfolioPlan
from services.gateway.planning.sweep_plan import SweepPlan

# Increase it whenever results are cached as another message than before.
_RESULT_FORMAT = 2
# Values of another version of the engine are never read: their numbers may differ.
_RESULT_PREFIX = f"backcast:result:v{ENGINE_VERSION}.{_RESULT_FORMAT}:"
_CHUNK_PREFIX = f"backcast:sweep:v{ENGINE_VERSION}:"
_PORTFOLIO_PREFIX = f"backcast:portfolio:v{ENGINE_VERSION}.{_RESULT_FORMAT}:"

# Floats are written so that they read back as the same floats, and sorted keys in one order only.
_ENCODER = json.JSONEncoder(sort_keys=True)


class ResultKeys:
    """Keys of the results of one backtest on many cryptos."""

    def __init__(self, backtest: Backtest) -> None:
        self._backtest = backtest
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

    def key(self, crypto: CryptoData, fingerprint: str) -> str:
        """Return the key of a crypto's result; `fingerprint` is that of the candles that the window sees."""
        digest = self._hash.copy()
        digest.update(_json([crypto.symbol, fingerprint, complete_until_s(self._backtest, crypto)]))
        return _RESULT_PREFIX + digest.hexdigest()


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
            del base[name]
        self._common = _digest(
            {
                "engine": ENGINE_VERSION,
                "strategy": [sweep.grid.base.name, base],
                "ranges": sweep.grid.names,
                "interval": sweep.interval.value,
                "windows": [asdict(window) for window in sweep.windows],
                "stretches": sweep.stretches,
                "execution": _parts_of_execution(sweep.execution),
            }
        )
        self._by_chunk: dict[int, str] = {}

    def key(self, chunk: int, crypto: CryptoData, fingerprint: str) -> str:
        """Return the key of a crypto's chunk; `fingerprint` is that of the candles that the window sees."""
        until_s = complete_until_s(self._plan.run.backtest, crypto)
        parts = [self._common, self._combinations(chunk), crypto.symbol, fingerprint, until_s]
        return _CHUNK_PREFIX + _digest(parts)

    def _combinations(self, chunk: int) -> str:
        if chunk not in self._by_chunk:
            size, grid = self._plan.chunk_size, self._plan.request.grid
            positions = self._plan.possible[chunk * size : (chunk + 1) * size]
            self._by_chunk[chunk] = _digest([grid.combination(position) for position in positions.tolist()])
        return self._by_chunk[chunk]


class PortfolioKeys:
    """Keys of the result of one portfolio, which depends on the data of all of its cryptos."""

    def __init__(self, plan: PortfolioPlan) -> None:
        self._plan = plan
        portfolio = plan.portfolio
        parts = {field.name: getattr(portfolio, field.name) for field in fields(portfolio)}
        self._common = {
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

    def key(self, fingerprints: Mapping[str, str]) -> str:
        """Return the key of the result; `fingerprints` are those of the candles that the window sees."""
        backtest = self._plan.run.backtest
        cryptos = [
            [crypto.symbol, fingerprints[crypto.symbol], complete_until_s(backtest, crypto)]
            for crypto in self._plan.cryptos
        ]
        return _PORTFOLIO_PREFIX + _digest({**self._common, "cryptos": cryptos})


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
