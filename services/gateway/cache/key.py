"""The key of a cached result: a hash over everything that the result depends on."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from services.engine import ENGINE_VERSION, Execution
from services.gateway.planning.crypto_data import CryptoData
from services.gateway.planning.run_plan import BacktestPlan

# Of another version, nothing is read: its numbers may be others.
_PREFIX = f"backcast:result:v{ENGINE_VERSION}:"


def parts_of_execution(execution: Execution) -> dict[str, Any]:
    """Return what a result depends on of an execution; that high costs are meant is no part of it."""
    parts = asdict(execution)
    del parts["allow_high_costs"]
    return parts


class CacheKeys:
    """Keys of the results of one plan."""

    def __init__(self, plan: BacktestPlan) -> None:
        self._plan = plan
        # JSON writes a float so that it reads back as the same float, and sorted keys in one way only.
        parts = {
            "engine": ENGINE_VERSION,
            "strategy": [plan.strategy.name, asdict(plan.strategy)],
            "interval": plan.interval.value,
            "window": asdict(plan.window),
            "execution": parts_of_execution(plan.execution),
            "detail": plan.detail,
            "curve_points": plan.curve_points,
        }
        self._hash = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())

    def key(self, crypto: CryptoData, fingerprint: str) -> str:
        """Return the key of the result for one crypto, on data whose part that is seen has `fingerprint`."""
        digest = self._hash.copy()
        parts = [crypto.symbol, fingerprint, self._plan.over_until_s(crypto)]
        digest.update(json.dumps(parts).encode())
        return _PREFIX + digest.hexdigest()
