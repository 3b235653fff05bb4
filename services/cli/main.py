"""The `backcast` command.

Nothing that the services need is imported here: workers of the compute service import this module too
(as their main module), and they must never import grpc.
"""

import typer

from services.cli.serve_command import serve

app = typer.Typer(
    help="Tells how a trading strategy would have done on hundreds of cryptos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve)


@app.callback()
def _backcast() -> None:
    pass


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
