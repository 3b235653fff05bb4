"""Converts the quoted strategies of `backcast compare`, such as 'supertrend --interval 4h', to requests."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import typer

from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast_engine.errors import InvalidInput, Violation
from services.cli.options.groups import takes_groups
from services.cli.options.requests import run_request
from services.cli.options.run_options import (
    Cache,
    CandleOptions,
    Detail,
    ExecutionOptions,
    RunOptions,
    StrategyOptions,
)

_FEWEST, _MOST = 2, 6
# The candles of all strategies, and not of one.
_SHARED = ("symbols", "exclude", "start", "end")
# Options of which one excludes the others.
_SIZES = ("size_fraction", "size_amount", "size_volatility", "volatility_period")
_SLIPPAGES = ("slippage", "slippage_bps")


@dataclass(frozen=True, slots=True)
class _QuotedStrategy:
    """A strategy with the options that were given within its quotes."""

    strategy: StrategyOptions
    interval: str | None
    execution: ExecutionOptions


def compared_requests(
    texts: Sequence[str],
    candles: CandleOptions,
    execution: ExecutionOptions,
    cache: Cache,
    detail: Detail = Detail.METRICS,
) -> list[pb.RunBacktestsRequest]:
    """Return a request for each text: a strategy and its options, which are those of `backcast run`.

    Options within the quotes replace those of `candles` and `execution`. Raises InvalidInput, naming the
    strategies and the options, if anything cannot be parsed.
    """
    if not _FEWEST <= len(texts) <= _MOST:
        raise InvalidInput.of(
            "STRATEGY",
            f"{_FEWEST} to {_MOST} strategies can be compared, not {len(texts)}: quote each with its "
            "options, as in 'rsi --param period=7'",
        )
    # What is wrong with the shared options is not said once for each strategy.
    run_request(StrategyOptions("buy_and_hold"), candles, execution)
    requests, violations = [], []
    for number, text in enumerate(texts, 1):
        try:
            requests.append(_request(_parsed(text), candles, execution, cache, detail))
        except InvalidInput as error:
            violations += [of_strategy(number, violation) for violation in error.violations]
    if violations:
        raise InvalidInput(*violations)
    return requests


def of_strategy(number: int, violation: Violation) -> Violation:
    """Return a violation that names the strategy, counted from 1, that it is about."""
    if violation.field == "strategy":
        return Violation(f"strategy {number}", violation.reason)
    return Violation(f"strategy {number}, {violation.field}", violation.reason)


def _request(
    compared: _QuotedStrategy,
    candles: CandleOptions,
    execution: ExecutionOptions,
    cache: Cache,
    detail: Detail,
) -> pb.RunBacktestsRequest:
    if compared.interval is not None:
        candles = replace(candles, interval=compared.interval)
    return run_request(
        compared.strategy,
        candles,
        _merged(compared.execution, execution),
        detail=detail,
        options=RunOptions(cache=cache),
    )


def _merged(own: ExecutionOptions, shared: ExecutionOptions) -> ExecutionOptions:
    given = {name: value for name in _names(own) if (value := getattr(own, name)) is not None}
    for choices in (_SIZES, _SLIPPAGES):
        # A period alone is one of the shared volatility.
        if any(name in given for name in choices if name != "volatility_period"):
            shared = replace(shared, **dict.fromkeys(choices))
    return replace(shared, **given)


def _names(options: ExecutionOptions) -> list[str]:
    return [field.name for field in fields(options)]


def _parsed(text: str) -> _QuotedStrategy:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidInput.of("strategy", f"{text!r}: {str(error).lower()}") from None
    if not words:
        raise InvalidInput.of("strategy", "is empty")
    parsed: list[_QuotedStrategy] = []
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @app.command(add_help_option=False)
    @takes_groups
    def take(
        context: typer.Context,
        strategy: StrategyOptions,
        candles: CandleOptions,
        execution: ExecutionOptions,
    ) -> None:
        given = {name for name in context.params if _is_given(context, name)}
        if wrong := [name for name in _SHARED if name in given]:
            raise InvalidInput(
                *(Violation(f"--{name}", "is the same for all strategies: give it outside") for name in wrong)
            )
        parsed.append(_QuotedStrategy(strategy, candles.interval if "interval" in given else None, execution))

    try:
        typer.main.get_command(app).main(words, standalone_mode=False)
    except typer.TyperException as error:
        raise InvalidInput.of("strategy", f"{text!r}: {_usage(error)}") from None
    return parsed[0]


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _usage(error: typer.TyperException) -> str:
    reason = error.format_message().rstrip(".")  # every error of the parser has it
    hint = ""
    if "extra argument" in reason:
        hint = ": rules have quotes of their own within, as in 'rules --entry \"rsi(14) < 30\"'"
    return f"{reason[:1].lower()}{reason[1:]}{hint}"
