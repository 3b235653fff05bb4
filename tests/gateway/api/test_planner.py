"""Plans of equal requests: remembered for as long as they are right, by the market and by the clock."""

import asyncio
from dataclasses import dataclass

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from backcast.backtest.v1.backtest_spec_pb2 import BacktestSpec
from backcast.backtest.v1.strategy_pb2 import Rsi, Strategy
from backcast.gateway.v1.backtest_service_pb2 import RunBacktestsRequest
from backcast_engine.errors import InvalidInput
from backcast_engine.interval import Interval
from services.gateway.api.planner import Planner
from services.gateway.messages.runs import run_request_from
from services.gateway.planning.run_plan import RunPlan, RunRequest, make_plan
from services.gateway.upstream.market import MarketCatalog
from services.wire.candles import interval_to
from tests.gateway.market_data import END_S, Calls, MarketData
from tests.waiting import LIMIT_S

HOUR_S = 3_600
MOST_PLANS = 8


@dataclass
class Planning:
    """A planner, its clock, and how often it has read a request and made a plan."""

    market: MarketCatalog
    now_s: float = END_S + 1_000
    read: int = 0
    made: int = 0

    def __post_init__(self) -> None:
        self._planner = Planner(self.market, self._read, self._finished, MOST_PLANS, lambda: self.now_s)

    async def plan(self, request: RunBacktestsRequest) -> RunPlan:
        return await self._planner.plan(request)

    def _read(self, request: RunBacktestsRequest) -> RunRequest:
        self.read += 1
        return run_request_from(request)

    def _finished(self, plan: RunPlan) -> RunPlan:
        self.made += 1
        return plan


@pytest.fixture
def planning(market: MarketCatalog) -> Planning:
    return Planning(market)


def asked(
    *symbols: str, end_s: int | None = None, period: int = 14, interval: Interval = Interval.HOUR_1
) -> RunBacktestsRequest:
    spec = BacktestSpec(strategy=Strategy(rsi=Rsi(period=period)), interval=interval_to(interval))
    if end_s is not None:
        spec.end_time.CopyFrom(Timestamp(seconds=end_s))
    return RunBacktestsRequest(symbols=symbols, spec=spec)


async def test_equal_requests_are_planned_once(planning: Planning) -> None:
    requests = [
        asked("AUSDT"),
        asked("BUSDT"),
        asked("AUSDT", period=15),
        asked("AUSDT", end_s=END_S - HOUR_S),
    ]
    plans = [await planning.plan(request) for request in requests]
    assert [await planning.plan(request) for request in requests] == plans
    assert (planning.read, planning.made) == (4, 4)
    assert len({repr(plan) for plan in plans}) == 4


async def test_a_plan_is_the_same_whatever_its_run_is_called(planning: Planning) -> None:
    request = asked("AUSDT")
    plan = await planning.plan(request)
    request.run_id = "mine"
    assert await planning.plan(request) is plan
    assert request.run_id == "mine"


async def test_a_changed_market_is_planned_anew(data: MarketData, planning: Planning) -> None:
    request = asked("AUSDT")
    before = await planning.plan(request)
    await data.change("AUSDT")
    after = await planning.plan(request)
    assert [after.cryptos[0].fingerprint] == await data.fingerprints("AUSDT")
    assert after != before


async def test_a_plan_of_before_is_not_right_because_another_request_saw_the_change(
    data: MarketData, calls: Calls, planning: Planning
) -> None:
    request, other = asked("AUSDT"), asked("BUSDT")
    await planning.plan(request)
    await data.change("AUSDT")
    may_pass = calls.hold()
    # Both wait for the same check.
    waiting = [asyncio.create_task(planning.plan(each)) for each in (other, request)]
    await calls.until_answered()
    may_pass.set()
    async with asyncio.timeout(LIMIT_S):
        plans = await asyncio.gather(*waiting)
    present = [*await data.fingerprints("BUSDT"), *await data.fingerprints("AUSDT")]
    assert [plan.cryptos[0].fingerprint for plan in plans] == present


async def test_what_is_refused_is_refused_each_time(planning: Planning) -> None:
    for _ in range(2):
        with pytest.raises(InvalidInput, match="there is no crypto"):
            await planning.plan(asked("ZUSDT"))


@pytest.mark.parametrize("interval", list(Interval))
@pytest.mark.parametrize("end_hours", [None, -2000, -1, 0, 1, 7, 100])
async def test_whatever_the_time_a_remembered_plan_is_the_one_that_would_be_made(
    market: MarketCatalog, planning: Planning, interval: Interval, end_hours: int | None
) -> None:
    present_s = END_S - 500 * HOUR_S + 1_234
    end_s = None if end_hours is None else present_s + end_hours * HOUR_S - 17
    request = asked("AUSDT", "BUSDT", end_s=end_s, interval=interval)
    read = run_request_from(request)
    # Back too: clocks are set.
    steps_s = (0, 1, 16, 17, 18, HOUR_S, 7 * HOUR_S, 99 * HOUR_S, 100 * HOUR_S, 500 * HOUR_S, -1, -HOUR_S, 0)
    for step_s in steps_s:
        planning.now_s = present_s + step_s
        known = await market.cryptos(list(read.symbols), read.seen_before_s)
        assert await planning.plan(request) == make_plan(read, known, int(planning.now_s))
    assert planning.made > 0


async def test_a_plan_with_an_end_in_the_past_is_remembered_for_good(planning: Planning) -> None:
    request = asked("AUSDT", end_s=END_S)
    for _ in range(5):
        await planning.plan(request)
        planning.now_s += 1e6
    assert planning.made == 1


async def test_few_plans_are_remembered(planning: Planning) -> None:
    requests = [asked("AUSDT", period=period) for period in range(2, 3 + MOST_PLANS)]
    for request in requests:
        await planning.plan(request)
    for request in requests[1:]:
        await planning.plan(request)
    assert planning.made == len(requests)
    await planning.plan(requests[0])
    assert planning.made == len(requests) + 1
