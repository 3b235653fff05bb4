"""A list comes page by page: every item once, and no token but the list's own is taken."""

import base64

import pytest

from backcast.gateway.v1.backtest_service_pb2 import ListStrategiesRequest
from backcast.marketdata.v1.market_data_service_pb2 import GetCandlesRequest, ListBreaksRequest
from backcast_engine.errors import InvalidInput
from services.wire.paging import MAX_SYMBOLS, page_of, page_size, position_of, token_after

ITEMS = ["d", "a", "c", "b", "e"]


def pages(size: int) -> list[list[str]]:
    request = ListStrategiesRequest(page_size=size)
    found = []
    while True:
        page, request.page_token = page_of(ITEMS, request, str)
        found.append(page)
        if not request.page_token:
            return found


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (2, [["a", "b"], ["c", "d"], ["e"]]),
        (5, [["a", "b", "c", "d", "e"]]),
        (0, [["a", "b", "c", "d", "e"]]),
        (4, [["a", "b", "c", "d"], ["e"]]),
    ],
)
def test_pages_have_every_item_once_and_in_order(size: int, expected: list[list[str]]) -> None:
    assert pages(size) == expected


def test_a_list_without_items_has_one_page_without_items() -> None:
    assert page_of([], ListStrategiesRequest(), str) == ([], "")


def test_a_token_does_not_show_its_position() -> None:
    token = token_after(ListBreaksRequest(symbol="BTCUSDT"), "1700000000")
    assert "1700000000" not in token
    assert position_of(ListBreaksRequest(symbol="BTCUSDT", page_size=7, page_token=token)) == "1700000000"


@pytest.mark.parametrize(
    "token",
    [
        "next",
        "Zm9v",
        "é",
        "====",
        token_after(ListBreaksRequest(symbol="ETHUSDT"), "5"),
        token_after(GetCandlesRequest(symbol="BTCUSDT"), "5"),
        token_after(ListBreaksRequest(symbol="BTCUSDT"), ""),
        token_after(ListBreaksRequest(symbol="BTCUSDT"), "5\0"),
        token_after(ListBreaksRequest(symbol="BTCUSDT"), "5") + "A",
        base64.urlsafe_b64encode(b"12345678\xff\xfe").decode(),
    ],
)
def test_a_token_that_is_not_of_the_list_is_named(token: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        position_of(ListBreaksRequest(symbol="BTCUSDT", page_token=token))
    assert [violation.field for violation in caught.value.violations] == ["page_token"]


def test_a_position_that_is_no_number_is_refused_where_numbers_are() -> None:
    token = token_after(GetCandlesRequest(symbol="BTCUSDT"), "5 or so")
    with pytest.raises(InvalidInput, match="page_token"):
        position_of(GetCandlesRequest(symbol="BTCUSDT", page_token=token), r"-?\d{1,12}")


def test_all_violations_of_a_page_are_reported_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        page_of(ITEMS, ListStrategiesRequest(page_size=-1, page_token="x"), str)
    assert [violation.field for violation in caught.value.violations] == ["page_size", "page_token"]


def test_a_page_has_a_greatest_size() -> None:
    assert page_size(MAX_SYMBOLS + 1) == MAX_SYMBOLS
