"""A file whose rows are of two markets is refused, unless the user says which rows to take."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from backcast_engine.candles import Candles
from backcast_engine.errors import InvalidInput
from services.domain.conflict_rule import ConflictRule
from services.ingest.quality.contradictions import candles_differ
from tests.candle_making import START_S, random_candles
from tests.ingest.conftest import HEADER, Read, rows_of

BTC, ETH = random_candles(1, 300), random_candles(2, 300)


def scaled(candles: Candles, factor: float) -> Candles:
    prices = {name: factor * getattr(candles, name) for name in ("open", "high", "low", "close")}
    return replace(candles, **prices)


def lines(candles: Candles, places: Sequence[int] | None = None) -> list[str]:
    rows = list(zip(*(column.tolist() for column in candles.columns()), strict=True))
    wanted = rows if places is None else [rows[place] for place in places]
    return [",".join(map(repr, row)) for row in wanted]


def written(*rows: str) -> str:
    return HEADER + "\n".join(rows) + "\n"


def alternately(*files: list[str]) -> list[str]:
    return [row for rows in zip(*files, strict=True) for row in rows]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (written(*alternately(lines(BTC), lines(scaled(ETH, 0.01)))), "for 300 of 300 times, the first at"),
        (written(*lines(BTC), *lines(scaled(BTC, 1.001), range(4))), "for 4 of 300 times, the first at"),
        (
            written(*lines(BTC), *lines(scaled(BTC, 1.6), [7])),
            "for 1 of 300 times, the first at 2024-01-01 0",
        ),
        (written(*lines(BTC), *lines(scaled(BTC, 1 / 1.6), [7])), "close .* in line 9, .* in 302: --on-con"),
    ],
)
def test_rows_that_contradict_each_other_are_refused(read: Read, content: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=f"its rows contradict each other .*{reason}") as caught:
        read(content, ConflictRule.GUARDED)
    assert "--on-conflict replace takes the later rows, keep the earlier ones" in str(caught.value)
    kept, replaced = read(content, ConflictRule.KEEP), read(content, ConflictRule.REPLACE)
    assert rows_of(kept) == rows_of(read(written(*lines(BTC))))
    assert kept.conflicts == replaced.conflicts > 0


def test_a_few_corrections_are_taken(read: Read) -> None:
    content = written(*lines(BTC), *lines(scaled(BTC, 1.001), range(3)))
    reading = read(content, ConflictRule.GUARDED)
    assert (len(reading.candles), reading.conflicts) == (300, 3)
    assert reading.candles.close[2] == scaled(BTC, 1.001).close[2]
    # One correction of a short file is no other market.
    assert (
        read(written(*lines(BTC, [0, 1]), *lines(scaled(BTC, 1.001), [1])), ConflictRule.GUARDED).conflicts
        == 1
    )


def test_candles_that_were_still_open_are_no_contradiction(read: Read) -> None:
    # A file that is appended to every other hour: the last candle each time is not over yet.
    was_open = Candles(BTC.open_time_s, BTC.open, BTC.open, BTC.open, BTC.open, BTC.volume / 3)
    reading = read(written(*alternately(lines(was_open), lines(BTC))), ConflictRule.GUARDED)
    assert rows_of(reading) == rows_of(read(written(*lines(BTC))))
    with pytest.raises(InvalidInput, match="contradict each other"):
        read(written(*alternately(lines(BTC), lines(was_open))), ConflictRule.GUARDED)


def test_the_same_values_with_fewer_digits_are_no_contradiction(read: Read) -> None:
    time, *values = BTC.columns()
    rounded = Candles(time, *(column.astype(np.float32).astype(np.float64) for column in values))
    assert read(written(*lines(BTC), *lines(rounded)), ConflictRule.GUARDED).conflicts > 100
    assert not candles_differ(BTC, rounded).any()
    assert candles_differ(BTC, scaled(BTC, 1.00001)).all()


@pytest.mark.parametrize("hours", [1, 2, 5])
def test_prices_that_go_to_and_fro_are_refused(read: Read, hours: int) -> None:
    other = lines(scaled(ETH, 0.01))
    content = written(*(row if place // hours % 2 else other[place] for place, row in enumerate(lines(BTC))))
    with pytest.raises(
        InvalidInput, match=r"its prices jump back and forth .* as those of two markets, first from"
    ):
        read(content, ConflictRule.GUARDED)
    assert len(read(content, ConflictRule.REPLACE).candles) == 300


def test_a_few_wrong_prices_and_a_split_are_not_two_markets(read: Read) -> None:
    rows = lines(BTC)
    for place in range(0, 290, 25):
        rows[place] = lines(scaled(BTC, 3), [place])[0]
    rows[200:] = lines(scaled(BTC, 1000))[200:]
    assert len(read(written(*rows), ConflictRule.GUARDED).candles) == 300


def test_a_price_of_few_ticks_is_one_market(read: Read) -> None:
    """At prices of 1 and 2 ticks, each hour may trade at both."""
    rows = [f"{START_S + 3600 * hour},1e-8,2e-8,1e-8,{1 + hour % 2}e-8,5" for hour in range(100)]
    assert len(read(written(*rows), ConflictRule.GUARDED).candles) == 100
