"""The best trials, whatever the order and the portions in which they come."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.sweeps.table import Ranking

# Few values, so that many are equal.
VALUES = st.lists(st.sampled_from([-2.0, 0.0, 0.5, 1.0, 3.0, math.nan]), max_size=40)


@given(values=VALUES, size=st.integers(1, 12), smallest=st.booleans(), data=st.data())
def test_order_and_portions_decide_nothing(values, size, smallest, data) -> None:
    order = data.draw(st.permutations(range(len(values))))
    ranking = Ranking(size, smallest_is_best=smallest)
    while order:
        portion = order[: data.draw(st.integers(1, len(order)))]
        order = order[len(portion) :]
        before = ranking.trials.tolist()
        changed = ranking.add(np.array([values[trial] for trial in portion]), np.array(portion))
        assert changed == (ranking.trials.tolist() != before)
    ranked = [trial for trial, value in enumerate(values) if not math.isnan(value)]
    ranked.sort(key=lambda trial: (values[trial] if smallest else -values[trial], trial))
    assert ranking.trials.tolist() == ranked[:size]
