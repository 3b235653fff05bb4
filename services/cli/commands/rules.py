"""`backcast rules`: prints a strategy as rules, or the language of rules."""

from rich import box
from rich.table import Table

from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.errors import InvalidInput
from backcast_engine.rules.text import CALLABLE, signature, text
from backcast_engine.strategies.custom_rules import CustomRules
from services.cli.options.names import named_options
from services.cli.options.strategy import strategy_message
from services.cli.views.console import make_console, say
from services.wire.backtests import strategy_from


def print_rules(name: str, parameters: list[str]) -> None:
    """Print a strategy as the two conditions that `backcast run rules` takes."""
    if name == CustomRules.name:
        raise InvalidInput.of("strategy", "you write rules yourself: `backcast run rules --entry … --exit …`")
    message = strategy_message(name, parameters)
    with named_options(message):
        strategy = strategy_from(message)
    rules = strategy.rules()
    print(f"entry: {text(rules.entry)}")
    if rules.exit is not None:
        print(f"exit: {text(rules.exit)}")


def print_language() -> None:
    """Print the columns, operators and functions of rules."""
    console = make_console()
    say(
        console,
        "Rules are conditions, tested at the close of every candle:\n"
        "  [bold]rsi(14) < 30 and close > sma(200)[/bold]\n"
        "  [bold]crosses_below(ema(12), ema(26)) or not volume > 2 * sma(volume, 20)[/bold]\n\n"
        f"columns    {', '.join(VALUE_COLUMNS)}\n"
        "operators  or · and · not · < <= > >= == != · + - · * / · unary - · close\\[1], the weakest first\n"
        "elsewhere  sma(200)@1d looks at daily candles, roc(24)@BTCUSDT at those of another crypto,\n"
        "           sma(200)@BTCUSDT@1d at its daily ones: always at the last one that has closed\n"
        "functions  arguments with defaults can be omitted: series all together, numbers from the end;\n"
        "           arguments can be named, and numbers computed: macd(signal=5), sma(5 * 24)",
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("function", "gives"):
        table.add_column(heading)
    for function in CALLABLE.values():
        table.add_row(signature(function), function.help)
    console.print(table)
