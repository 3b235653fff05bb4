"""What a check finds is what is missing from a history."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backcast_engine.interval import Interval
from services.ingest.quality.check import Gap, check_history
from tests.candle_making import START_S, random_candles

HOUR_S = 3600
WHOLE = random_candles(3, 60)


@given(st.sets(st.integers(0, 59), min_size=1))
def test_gaps_are_the_runs_of_missing_hours(hours: set[int]) -> None:
    there = sorted(hours)
    check = check_history(WHOLE.at(np.array(there)), Interval.HOUR_1, ())
    runs: list[Gap] = []
    for hour in range(there[0], there[-1]):
        if hour not in hours:
            if hour - 1 in hours:
                runs.append(Gap(START_S + HOUR_S * hour, 0))
            runs[-1] = Gap(runs[-1].start_s, runs[-1].missing + 1)
    assert check.candles == len(hours)
    assert (check.first_s, check.last_s) == (START_S + HOUR_S * there[0], START_S + HOUR_S * there[-1])
    assert check.gaps == len(runs)
    assert check.missing == sum(run.missing for run in runs)
    # The first of the longest.
    assert check.longest_gap == (max(runs, key=lambda run: run.missing) if runs else None)
    assert check.breaks == ()


def test_candles_without_volume_are_counted() -> None:
    volume = WHOLE.volume.copy()
    volume[[0, 7, 59]] = 0
    check = check_history(
        type(WHOLE)(*WHOLE.columns()[:-1], volume),
        Interval.HOUR_1,
        (),
    )
    assert (check.zero_volume, check.zero_volume_share) == (3, 0.05)


@given(
    st.sets(st.integers(0, 59), min_size=1),
    st.lists(st.tuples(st.integers(-5, 65), st.integers(0, 30)), max_size=3),
)
def test_missing_hours_were_asked_for_or_never(hours: set[int], spans: list[tuple[int, int]]) -> None:
    asked = {hour + each for hour, length in spans for each in range(length)}
    check = check_history(
        WHOLE.at(np.array(sorted(hours))),
        Interval.HOUR_1,
        (),
        "okx",
        [(START_S + HOUR_S * hour, START_S + HOUR_S * (hour + length)) for hour, length in spans],
    )
    never = sorted(set(range(min(hours), max(hours))) - hours - asked)
    assert (check.source, check.never_asked) == ("okx", len(never))
    assert check.never_asked_from_s == (START_S + HOUR_S * never[0] if never else None)
