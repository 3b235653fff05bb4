"""Plans runs, and remembers plans: clients often repeat a request."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from services.gateway.planning.market_view import MarketView
from services.gateway.planning.run_plan import RunPlan, RunRequest, make_plan
from services.gateway.upstream.market import MarketCatalog

if TYPE_CHECKING:
    from backcast.gateway.v1.backtest_service_pb2 import RunBacktestRequest, RunBacktestsRequest

_Request = TypeVar("_Request", bound="RunBacktestsRequest | RunBacktestRequest")
_Plan = TypeVar("_Plan")


@dataclass(frozen=True, slots=True)
class _Remembered(Generic[_Plan]):
    """A plan, and the seconds at which it is right as long as the market is the same."""

    asked: RunRequest
    plan: _Plan
    right_s: range


class Planner(Generic[_Request, _Plan]):
    """Plans the runs of one method."""

    def __init__(
        self,
        market: MarketCatalog,
        read: Callable[[_Request], RunRequest],
        finished: Callable[[RunPlan], _Plan],
        most_plans: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`read` reads a request, `finished` adds to its plan what the method needs.

        `most_plans` are remembered; `now` returns Unix seconds.
        """
        self._market = market
        self._read = read
        self._finished = finished
        self._most_plans = most_plans
        self._now = now
        # Plans of one view, by a hash of the request, the one that was used last at the end.
        self._view: MarketView | None = None
        self._plans: OrderedDict[bytes, _Remembered[_Plan]] = OrderedDict()

    def remembered(self, request: _Request) -> _Plan | None:
        """Return the plan that an equal request had last, None where there was none; it may be outdated."""
        remembered = self._plans.get(_key(request))
        return remembered.plan if remembered else None

    async def plan(self, request: _Request) -> _Plan:
        """Return the plan of a request, whatever its run is called; raise what reading and planning raise."""
        key = _key(request)
        remembered = self._plans.get(key)
        asked = remembered.asked if remembered else self._read(request)
        view, known = await self._market.view(asked.listed_symbols, asked.seen_before_s)
        if view is not self._view:
            self._view = view
            self._plans.clear()
        now_s = int(self._now())
        # Looked up once more: the plan of before may have been of another view.
        remembered = self._plans.get(key)
        if remembered is None or now_s not in remembered.right_s:
            plan = self._finished(make_plan(asked, known, now_s))
            remembered = self._plans[key] = _Remembered(asked, plan, asked.same_plan_s(now_s))
            if len(self._plans) > self._most_plans:
                self._plans.popitem(last=False)
        self._plans.move_to_end(key)
        return remembered.plan


def _key(request: "RunBacktestsRequest | RunBacktestRequest") -> bytes:
    """Return a hash of a request, whatever its run is called: a request may be as long as gRPC allows."""
    run_id, request.run_id = request.run_id, ""
    try:
        return hashlib.blake2b(request.SerializeToString(), digest_size=32).digest()
    finally:
        request.run_id = run_id
