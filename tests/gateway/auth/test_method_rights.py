"""Every method of the gateway has its right, and what is not in the table is for admins."""

import pytest

from backcast.gateway.v1 import backtest_service_pb2, portfolio_service_pb2, run_service_pb2
from backcast.marketdata.v1 import feed_service_pb2, fetch_service_pb2, market_data_service_pb2
from services.gateway.auth.clients import Right, is_open, rights_needed

DESCRIPTORS = (
    *(backtest_service_pb2, portfolio_service_pb2, run_service_pb2),
    *(market_data_service_pb2, feed_service_pb2, fetch_service_pb2),
)


def test_each_method_of_ours_needs_its_rights() -> None:
    needed = {
        method.name: rights_needed(f"/{service.full_name}/{method.name}")
        for module in DESCRIPTORS
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert {name for name, rights in needed.items() if rights == {Right.IMPORT}} == {
        *("ImportCandles", "TakeFeedLease", "RecordFeedRound", "ReleaseFeed"),
        *("CreateFetch", "CancelFetch", "TakeFetch", "RecordFetch", "ReleaseFetch"),
    }
    assert {name for name, rights in needed.items() if rights == {Right.RUN, Right.ADMIN}} == {
        *("ListRuns", "CancelRun", "WatchRun")
    }
    assert {name for name, rights in needed.items() if rights == {Right.IMPORT, Right.ADMIN}} == {
        "UpdateBreak"
    }
    assert {name for name, rights in needed.items() if rights == {Right.ADMIN}} == {"DeleteCrypto"}
    others = needed.keys() - {
        *("ImportCandles", "ListRuns", "CancelRun", "WatchRun", "UpdateBreak", "DeleteCrypto"),
        *("TakeFeedLease", "RecordFeedRound", "CreateFetch", "CancelFetch", "TakeFetch", "RecordFetch"),
        *("ReleaseFeed", "ReleaseFetch"),
    }
    assert {"ListBreaks", "ListFeeds", "ListFetches"} <= others
    assert all(needed[name] == {Right.RUN} for name in others)


@pytest.mark.parametrize(
    ("method", "rights"),
    [
        ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", set(Right)),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", set(Right)),
        ("/grpc.channelz.v1.Channelz/GetServers", {Right.ADMIN}),
        ("/somebody.else.Service/Method", {Right.ADMIN}),
        ("/grpc.health.v1.Healthy/Check", {Right.ADMIN}),
        ("", {Right.ADMIN}),
    ],
)
def test_methods_of_other_services_need_their_rights(method: str, rights: set[Right]) -> None:
    assert rights_needed(method) == rights
    assert not is_open(method)


def test_health_checks_need_no_right() -> None:
    assert is_open("/grpc.health.v1.Health/Check")
    assert is_open("/grpc.health.v1.Health/List")
    assert is_open("/grpc.health.v1.Health/Watch")
