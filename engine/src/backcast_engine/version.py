"""The version of the engine, by which cached results are kept apart."""

from importlib.metadata import version

# Raise the number whenever any number of a result can change. TA-Lib's functions are functions of rules, so
# another version of it may have other numbers.
ENGINE_VERSION = f"4+ta-lib.{version('ta-lib')}"
