"""What the dashboard, the alerts and the ops page ask for is what the services have."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY

import services.telemetry.metrics  # noqa: F401  # switches off series that only libraries know
from backcast.gateway.v1.backtest_service_pb2_grpc import BacktestServiceStub
from backcast_engine.candles import Candles
from services.feed.metrics import watch_feed
from tests.candle_making import events_of
from tests.end_to_end.operations.observed import Observed
from tests.end_to_end.operations.service_metrics import SERVICES
from tests.end_to_end.operations.test_observation import request

DEPLOY = Path(__file__).parents[3] / "deploy"
OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"

# Labels that Prometheus adds, and a metric that it has of its own.
OF_PROMETHEUS = {"job", "instance"}
UP = "up"


class Selector(NamedTuple):
    """A metric in a query, and the labels that are asked for there."""

    metric: str
    labels: set[str]


def selectors(query: str) -> list[Selector]:
    """Return each metric of a query, with the labels of its matchers and of the groupings around it."""
    # What Grafana puts in.
    return list(_selectors(promql_parser.parse(query.replace("$__rate_interval", "5m")), set()))


def _selectors(part: Any, groupings: set[str]) -> Iterator[Selector]:
    match part:
        case promql_parser.VectorSelector():
            yield Selector(part.name, groupings | {matcher.name for matcher in part.matchers.matchers})
        case promql_parser.MatrixSelector():
            yield from _selectors(part.vector_selector, groupings)
        case promql_parser.AggregateExpr():
            labels = set(part.modifier.labels) if part.modifier else set()
            yield from _selectors(part.expr, groupings | labels)
        case promql_parser.BinaryExpr():
            for side in (part.lhs, part.rhs):
                yield from _selectors(side, groupings)
        case promql_parser.Call():
            for argument in part.args:
                yield from _selectors(argument, groupings)
        case promql_parser.ParenExpr():
            yield from _selectors(part.expr, groupings)
        case promql_parser.NumberLiteral():
            pass
        case _:
            raise AssertionError(f"what is {part}?")


def panels() -> list[dict[str, Any]]:
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "backcast.json").read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    of_dashboard = [target["expr"] for panel in panels() for target in panel["targets"]]
    alerts = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())
    return of_dashboard + [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]


@pytest.fixture(scope="session")
async def exposed(
    observed: Observed, observed_gateway: BacktestServiceStub, market: dict[str, Candles]
) -> dict[str, set[str]]:
    """The labels of every sample that any of the services has after a run, by the sample's name."""
    _ = [event async for event in events_of(observed_gateway, request("shown-run"))]
    labels: dict[str, set[str]] = {}
    for service in SERVICES:
        for metric in await observed.metrics.all_of(service):
            for sample in metric.samples:
                labels.setdefault(sample.name, set()).update(sample.labels)
    # Those of a feed's process, which asks an exchange.
    watch_feed("binance", "USDT", 6000, lambda: 0, lambda: 0.0)
    for metric in REGISTRY.collect():
        if metric.name.startswith("backcast_feed_"):
            for sample in metric.samples:
                labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


def test_every_query_is_understood_by_prometheus() -> None:
    query = 'sum by (le, job) (rate(a_bucket{code!="x", y=~"z"}[$__rate_interval])) > 2 * b_total'
    assert selectors(query) == [
        Selector("a_bucket", {"le", "job", "code", "y"}),
        Selector("b_total", set()),
    ]


async def test_every_query_asks_for_metrics_and_labels_that_there_are(exposed: dict[str, set[str]]) -> None:
    asked = [selector for query in queries() for selector in selectors(query)]
    assert len(asked) > 20
    wrong = [
        selector
        for selector in asked
        if selector.metric != UP
        and not (selector.metric in exposed and selector.labels <= exposed[selector.metric] | OF_PROMETHEUS)
    ]
    assert wrong == []


async def test_the_ops_page_has_every_metric_and_no_other(exposed: dict[str, set[str]]) -> None:
    ours = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exposed if name.startswith("backcast_")}
    documented = set(re.findall(r"^\| `(backcast_\w+)`", OPERATIONS.read_text(), re.MULTILINE))
    assert documented == ours


def test_panels_have_a_place_of_their_own_and_a_source_that_is_provisioned() -> None:
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())
    uids = {source["uid"] for source in sources["datasources"]}
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        assert panel["datasource"]["uid"] in uids
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells
