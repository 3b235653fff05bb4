"""The strategies, one file each, which are discovered automatically."""

import importlib
import inspect
import pkgutil

from backcast_engine.strategies.base import Signals, Strategy


def _find() -> dict[str, type[Strategy]]:
    found = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for _, strategy in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if (
                issubclass(strategy, Strategy)
                and strategy.__module__ == module.name
                and strategy is not Strategy
            ):
                found[strategy.name] = strategy
    return dict(sorted(found.items()))


# By name, which is also the name of the strategy's field in the API.
STRATEGIES: dict[str, type[Strategy]] = _find()

__all__ = ["STRATEGIES", "Signals", "Strategy"]
