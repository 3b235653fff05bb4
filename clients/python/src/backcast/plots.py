"""Pictures of results, by matplotlib or plotly."""

from functools import cache
from importlib.util import find_spec
from io import BytesIO
from typing import Any

from backcast.errors import InvalidRequestError, MissingLibraryError

_LIBRARIES = ("matplotlib", "plotly")


def plot_curve(symbol: str, curve: tuple[Any, Any, Any], library: str) -> Any:
    """Draw equity above drawdown, and return the figure of `library`; see `Result.plot`.

    `curve` has the opening times in Unix seconds, the equity and the drawdown.
    """
    seconds, equity, drawdown = curve
    if library == "auto":
        installed = [name for name in _LIBRARIES if find_spec(name)]
        if not installed:
            raise MissingLibraryError("plot() needs matplotlib or plotly: pip install matplotlib")
        library = installed[0]
    if library not in _LIBRARIES:
        raise InvalidRequestError.of("library", f"{library!r} is not one of auto, {', '.join(_LIBRARIES)}")
    if not find_spec(library):
        raise MissingLibraryError(f"plot(library={library!r}) needs {library}: pip install {library}")
    times = seconds.view("datetime64[s]")
    draw = _with_matplotlib if library == "matplotlib" else _with_plotly
    return draw(symbol, times, equity, -100 * drawdown)


@cache
def _shown_figure() -> Any:
    """Return the class of matplotlib's figures that notebooks show, whether pyplot is imported or not."""
    from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415  # installed or not

    class ShownFigure(Figure):  # type: ignore[misc,unused-ignore]
        def _repr_png_(self) -> bytes:
            picture = BytesIO()
            self.savefig(picture, format="png")
            return picture.getvalue()

    return ShownFigure


def _with_matplotlib(symbol: str, times: Any, equity: Any, falls: Any) -> Any:
    figure = _shown_figure()(figsize=(9, 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot(times, equity, linewidth=1)
    above.set(title=f"{symbol}: equity", ylabel="quote currency")
    below.fill_between(times, falls, 0, alpha=0.4, linewidth=0)
    below.set(ylabel="drawdown, %")
    for axes in (above, below):
        axes.grid(alpha=0.3)
        axes.margins(x=0)
    return figure


def _with_plotly(symbol: str, times: Any, equity: Any, falls: Any) -> Any:
    from plotly.subplots import make_subplots  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415  # installed or not

    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.75, 0.25], vertical_spacing=0.04)
    figure.add_scatter(x=times, y=equity, name="equity", row=1, col=1)
    figure.add_scatter(x=times, y=falls, name="drawdown, %", fill="tozeroy", row=2, col=1)
    return figure.update_layout(title=f"{symbol}: equity", showlegend=False)
