"""What the Python client shows in a notebook."""

from importlib.util import find_spec

import numpy as np
import pytest

from backcast import wire
from backcast.backtest.v1.result_pb2 import DETAIL_EQUITY, BacktestResult, EquityCurve
from backcast.errors import MissingLibraryError, RefusedError
from backcast.gateway.v1 import backtest_service_pb2 as pb
from backcast.html import run_html
from backcast.result import Result
from backcast.run_log import RunLog
from tests.clients.python.test_run_log import failure, received, result, started


def result_of(message: BacktestResult, detail: int = DETAIL_EQUITY) -> Result:
    view = wire.message_class("backcast.backtest.v1.BacktestResult").FromString(message.SerializeToString())
    return Result(view, detail, "numpy")


@pytest.fixture
def falling() -> Result:
    """A result whose equity falls by a half."""
    curve = EquityCurve(open_time_s=[0, 3600], equity=[10_000, 5_000], drawdown=[0, 0.5])
    message = BacktestResult(symbol="AUSDT", equity_curve=curve)
    message.metrics.total_return, message.metrics.trade_count = -0.5, 3
    return result_of(message)


def test_a_run_shows_its_progress_its_results_and_what_failed() -> None:
    log = RunLog(pb.RunBacktestsRequest(), "numpy")
    received(log, started(3), result("AUSDT", 2, -0.25), result("BUSDT", 3, 0.5), failure("CUSDT", 4))
    html = run_html(log)
    assert "3 of 3 cryptos, 1 failed" in html
    assert html.index("BUSDT") < html.index("AUSDT")
    assert "+50.0%" in html
    assert "-25.0%" in html
    assert "CUSDT: too short" in html
    assert "median" not in html
    summary = pb.RunBacktestsResponse(sequence=5)
    summary.summary.median.total_return = 0.125
    assert "+12.5%" in run_html(received(log, summary))


def test_names_of_cryptos_are_escaped_in_html() -> None:
    log = RunLog(pb.RunBacktestsRequest(), "numpy")
    received(log, started(), result("<b>A</b>", 2))
    assert "<b>" not in run_html(log)


def test_a_result_shows_its_figures(falling: Result) -> None:
    assert repr(falling) == "<Result AUSDT: return -50.0%, trades 3>"
    assert "-50.0%" in falling._repr_html_()


def test_a_result_without_a_curve_says_how_to_get_one() -> None:
    with pytest.raises(RefusedError, match="start the run with detail='equity'"):
        result_of(BacktestResult(symbol="AUSDT"), detail=1).plot()


def test_matplotlib_draws_equity_and_drawdown(falling: Result) -> None:
    if not find_spec("matplotlib"):
        pytest.skip("NO MATPLOTLIB: it is not installed")
    above, _ = falling.plot("matplotlib").axes
    (line,) = above.lines
    np.testing.assert_array_equal(line.get_ydata(), [10_000, 5_000])
    assert "AUSDT" in above.get_title()


def test_without_a_library_for_pictures_one_sentence_says_so(
    falling: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backcast.plots.find_spec", lambda _: None)
    with pytest.raises(MissingLibraryError, match="pip install matplotlib"):
        falling.plot()
