"""Pages of one result, each named by a token that no gateway keeps."""

import base64

import pytest

from backcast.backtest.v1.result_pb2 import BacktestResult
from backcast_engine.errors import InvalidInput
from services.gateway.messages.result_pages import page_from
from tests.wire.test_result_parts import long_result


def test_the_pages_of_a_result_are_the_result() -> None:
    result, whole, token, pages = long_result(trades=20_000), BacktestResult(), "", 0
    while True:
        page, token = page_from(token).of(result)
        whole.MergeFrom(page)
        pages += 1
        if not token:
            break
    assert (whole, pages) == (result, 3)


def test_a_short_result_is_one_page() -> None:
    result = long_result(trades=10)
    assert page_from("").of(result) == (result, "")


def test_a_page_does_not_mind_where_its_result_comes_from() -> None:
    result = long_result(trades=20_000)
    _, token = page_from("").of(result)
    page, _ = page_from(token).of(result)
    # Candles after the window were added, and this time it is computed.
    result.data_fingerprint, result.from_cache = "another", False
    assert page_from(token).of(result)[0] == page


def test_a_page_of_another_result_is_refused() -> None:
    result = long_result(trades=20_000)
    _, token = page_from("").of(result)
    result.trades[19_999].profit += 1e-9
    for other in (result, long_result(trades=10)):
        with pytest.raises(InvalidInput, match="page_token: is of another result"):
            page_from(token).of(other)


@pytest.mark.parametrize("bad", ["x", "ä", "AAAA", base64.b64encode(b"a" * 21).decode(), " "])
def test_what_is_no_token_is_refused(bad: str) -> None:
    with pytest.raises(InvalidInput, match="page_token: is not the next_page_token of a page"):
        page_from(bad)


def test_a_page_after_the_last_is_refused() -> None:
    result = long_result(trades=20_000)
    _, token = page_from("").of(result)
    raw = base64.urlsafe_b64decode(token)
    beyond = base64.urlsafe_b64encode(raw[:-1] + b"\x03").decode()
    with pytest.raises(InvalidInput, match="page_token"):
        page_from(beyond).of(result)
