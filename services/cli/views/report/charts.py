"""Charts as inline SVG, which stretches to its place; the words of the axes are HTML, which does not."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

_Column = NDArray[np.float64]

# The units of the drawing, in both directions.
_SIZE = 1000
_MOST_TICKS = 6
_MOST_TIMES = 5
_MOST_BINS = 40
# More names below bars would overlap.
_MOST_NAMES = 8
# Returns beyond these quantiles share the outermost bars of a histogram.
_TAILS = (0.01, 0.99)


def curve_chart(
    caption: str, times: NDArray[np.int64], curve: _Column, band: tuple[_Column, _Column] | None = None
) -> Markup:
    """Draw a curve of fractions over times in Unix seconds, and a band around it."""
    values = np.concatenate([curve, *(band or ())])
    ticks = _ticks(float(values.min()), float(values.max()))
    low, high = ticks[0], ticks[-1]
    area = Markup("")
    if band:
        outline = [*_points(times, band[0], low, high), *reversed([*_points(times, band[1], low, high)])]
        area = Markup('<polygon class="area" points="{}"/>').format(" ".join(outline))
    line = Markup('<polyline class="curve" points="{}"/>').format(" ".join(_points(times, curve, low, high)))
    return _chart(caption, Markup("").join([_grid(ticks), area, line]), [*_y(ticks), *_times(times)])


def curves_chart(caption: str, times: NDArray[np.int64], curves: Mapping[str, _Column]) -> Markup:
    """Draw several curves of fractions over times, each with the class of its name; the last is on top."""
    values = np.concatenate([*curves.values()])
    ticks = _ticks(float(values.min()), float(values.max()))
    lines = Markup("").join(
        Markup('<polyline class="curve {}" points="{}"/>').format(
            name, " ".join(_points(times, curve, ticks[0], ticks[-1]))
        )
        for name, curve in curves.items()
    )
    return _chart(caption, _grid(ticks) + lines, [*_y(ticks), *_times(times)])


def level_chart(caption: str, times: NDArray[np.int64], levels: _Column, form: str) -> Markup:
    """Draw what is never below zero, such as a number of positions; `form` is how a level is written."""
    ticks = _ticks(0.0, float(levels.max()), most=3)
    top = ticks[-1]
    outline = [f"0,{_SIZE}", *_points(times, levels, 0.0, top), f"{_SIZE},{_SIZE}"]
    area = Markup('<polygon class="area" points="{}"/>').format(" ".join(outline))
    marks = _marks("y", [(tick / top, format(tick, form)) for tick in ticks])
    return _chart(caption, _grid(ticks) + area, [*marks, *_times(times)], "low")


def ranked_bars(caption: str, named: Sequence[tuple[str, float]]) -> Markup:
    """Draw a bar of a fraction for each name, in order; a bar shows its name while the pointer is on it."""
    values = [value for _, value in named]
    ticks = _ticks(min(0.0, *values), max(0.0, *values))
    low, high = ticks[0], ticks[-1]
    width = _SIZE / len(named)
    bars = Markup("").join(
        Markup(
            '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>'
        ).format(
            "bar-gain" if value >= 0 else "bar-loss",
            place * width + width / 10,
            _y_of(max(value, 0.0), low, high),
            width * 0.8,
            _SIZE * abs(value) / (high - low),
            f"{name} {_signed(value, 2)}",
        )
        for place, (name, value) in enumerate(named)
    )
    marks = [*_y(ticks)]
    if len(named) <= _MOST_NAMES:
        marks += _marks("x", [((place + 0.5) / len(named), name) for place, (name, _) in enumerate(named)])
    return _chart(caption, _grid(ticks) + bars, marks)


def fall_chart(caption: str, times: NDArray[np.int64], drawdown: _Column) -> Markup:
    """Draw drawdowns, positive fractions, as depths below zero."""
    ticks = _ticks(-float(drawdown.max()), 0.0, most=3)
    outline = [f"0,{_y_of(0, ticks[0], ticks[-1])}", *_points(times, -drawdown, ticks[0], ticks[-1])]
    outline.append(f"{_SIZE},{_y_of(0, ticks[0], ticks[-1])}")
    area = Markup('<polygon class="fall" points="{}"/>').format(" ".join(outline))
    return _chart(caption, Markup("").join([_grid(ticks), area]), [*_y(ticks), *_times(times)], "low")


def histogram(caption: str, values: _Column) -> Markup:
    """Draw how many of some returns lie in bins of equal width; the outermost bins have all beyond them."""
    low, high = np.quantile(values, _TAILS).tolist()
    edges = _edges(low, high)
    inside = np.clip(values, edges[0], np.nextafter(edges[-1], -np.inf))
    counts, _ = np.histogram(inside, edges)
    # There is no half of a crypto.
    ticks = sorted({float(math.ceil(tick)) for tick in _ticks(0, float(counts.max()))})
    top = ticks[-1]
    width = _SIZE / len(counts)
    bars = Markup("").join(
        Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
            "bar-gain" if edge >= 0 else "bar-loss",
            place * width + 1,
            _y_of(count, 0, top),
            max(width - 2, 1),
            _SIZE * count / top,
        )
        for place, (count, edge) in enumerate(zip(counts.tolist(), edges.tolist(), strict=False))
    )
    marks = [*_marks("y", [(tick / top, f"{tick:,.0f}") for tick in ticks])]
    every = math.ceil(len(edges) / _MOST_TICKS)
    zero = int(np.abs(edges).argmin())
    shown = [place for place in range(len(edges)) if (place - zero) % every == 0]
    marks += _marks("x", [(place / len(counts), _signed(edges[place])) for place in shown])
    return _chart(caption, Markup("").join([_grid([tick / top for tick in ticks]), bars]), marks)


def heat_map(
    caption: str,
    names: tuple[str, str],
    labels: tuple[Sequence[str], Sequence[str]],
    cells: Sequence[Sequence[tuple[float, str] | None]],
) -> Markup:
    """Return a table that is coloured by its values: a row for each value of the first parameter.

    `cells` has a value and its text, None where there is no value.
    """
    values = [cell[0] for row in cells for cell in row if cell]
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    span = (high - low) or 1.0
    head = Markup("").join(Markup("<th scope=col>{}</th>").format(label) for label in labels[1])
    rows = Markup("").join(
        Markup("<tr><th scope=row>{}</th>{}</tr>\n").format(
            label, Markup("").join(_heat_cell(cell, low, span) for cell in row)
        )
        for label, row in zip(labels[0], cells, strict=True)
    )
    corner = f"{names[0]} ↓  {names[1]} →" if names[1] else names[0]
    return Markup(
        '<figure><figcaption>{}</figcaption><div class="scrolls" tabindex="0" role="region" aria-label="{}">'
        '<table class="heat"><thead><tr><th scope=col>{}</th>{}</tr></thead>\n'
        "<tbody>{}</tbody></table></div></figure>\n"
    ).format(caption, caption, corner, head, rows)


def _heat_cell(cell: tuple[float, str] | None, low: float, span: float) -> Markup:
    if cell is None:
        return Markup('<td class="none">–</td>')
    return Markup('<td style="--v:{:.3f}">{}</td>').format((cell[0] - low) / span, cell[1])


def _chart(caption: str, drawn: Markup, marks: Sequence[Markup], kind: str = "") -> Markup:
    return Markup(
        '<figure><figcaption>{}</figcaption><div class="plot {}"><svg viewBox="0 0 {size} {size}" '
        'preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>{}</div></figure>\n'
    ).format(caption, kind, Markup(caption).striptags(), drawn, Markup("").join(marks), size=_SIZE)


def _points(times: NDArray[np.int64], values: _Column, low: float, high: float) -> Iterator[str]:
    span = max(int(times[-1] - times[0]), 1)
    for time, value in zip((times - times[0]).tolist(), values.tolist(), strict=True):
        yield f"{_SIZE * time / span:.1f},{_y_of(value, low, high):.1f}"


def _y_of(value: float, low: float, high: float) -> float:
    return _SIZE * (high - value) / (high - low)


def _grid(ticks: Sequence[float]) -> Markup:
    low, high = ticks[0], ticks[-1]
    return Markup("").join(
        Markup('<line class="{}" x1="0" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>').format(
            "zero" if tick == 0 else "grid", _SIZE, y=_y_of(tick, low, high)
        )
        for tick in ticks
    )


def _y(ticks: Sequence[float]) -> Iterator[Markup]:
    # Whole percents, unless the ticks are closer than that.
    digits = 0 if ticks[1] - ticks[0] > 0.009 else 1
    low, high = ticks[0], ticks[-1]
    return _marks("y", [((tick - low) / (high - low), _signed(tick, digits)) for tick in ticks])


def _signed(fraction: float, digits: int = 0) -> str:
    return "0%" if abs(fraction) < 1e-9 else f"{fraction:+,.{digits}%}"


def _times(times: NDArray[np.int64]) -> Iterator[Markup]:
    first, last = int(times[0]), int(times[-1])
    shown = np.linspace(first, last, _MOST_TIMES).astype(np.int64).tolist()
    form = "%Y-%m-%d" if last - first > _MOST_TIMES * 86_400 else "%m-%d %H:%M"
    return _marks(
        "x",
        [
            ((time - first) / max(last - first, 1), f"{datetime.fromtimestamp(time, UTC):{form}}")
            # The outermost would stand out of the picture.
            for time in shown[1:-1]
        ],
    )


def _marks(axis: str, marks: Sequence[tuple[float, str]]) -> Iterator[Markup]:
    for place, text in marks:
        where = f"left:{100 * place:.2f}%" if axis == "x" else f"bottom:{100 * place:.2f}%"
        yield Markup('<span class="{}" style="{}">{}</span>').format(axis, where, text)


def _ticks(low: float, high: float, most: int = _MOST_TICKS) -> list[float]:
    """Return round numbers at equal distances, at most `most` + 2, that enclose two numbers."""
    step = _step((high - low) / most)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [tick * step for tick in range(first, max(last, first + 1) + 1)]


def _step(least: float) -> float:
    """Return the smallest of 1, 2, 5, 10, … × a power of ten that is at least as great as a number."""
    if least <= 0:
        return 0.01
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _edges(low: float, high: float) -> Any:
    step = _step(max(high - low, 0.01) / _MOST_BINS)
    first, last = math.floor(low / step), math.ceil(high / step)
    return np.arange(first, max(last, first + 1) + 1) * step
