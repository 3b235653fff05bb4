"""The pace of requests: stays below the exchange's limit, and waits where the exchange says so."""

from services.feed.clock import Clock
from services.feed.exchanges.exchange import Limit

# Others on this machine may ask the exchange too.
_SHARE = 0.8


class Pace:
    """Counts the weight used in each window of the limit, and has requests wait for the next one.

    The count starts with each window: by the exchange's clock where its answers tell the used weight.
    """

    def __init__(self, limit: Limit, clock: Clock) -> None:
        self._most = limit.weight * _SHARE
        self._window_s = limit.window_s
        self._clock = clock
        self._window: int | None = None
        self._ahead_s = 0.0
        self._paused_until_s = 0.0
        self._used = 0

    @property
    def used(self) -> int:
        """The weight used in the present window."""
        return self._used

    async def take(self, weight: int) -> None:
        """Return when a request of this weight may be sent, and count it."""
        while True:
            if (pause_s := self._paused_until_s - self._clock.now_s()) > 0:
                await self._clock.sleep(pause_s)
                continue
            now_s = self._clock.now_s() + self._ahead_s
            window = int(now_s // self._window_s)
            if self._window is None or window > self._window:
                self._window, self._used = window, 0
            if self._used + weight <= self._most or not self._used:
                self._used += weight
                return
            await self._clock.sleep((self._window + 1) * self._window_s - now_s)

    def told(self, used: int, exchange_s: float) -> None:
        """Note what an answer tells: the used weight, at a time of the exchange's clock in whole seconds."""
        # At most a second too small, so that no window begins too early.
        self._ahead_s = exchange_s - self._clock.now_s()
        window = int(exchange_s // self._window_s)
        if self._window is None or window > self._window:
            self._window, self._used = window, used
        elif window == self._window:
            self._used = max(self._used, used)

    def pause(self, seconds: float) -> None:
        """Send no request for so many seconds."""
        self._paused_until_s = max(self._paused_until_s, self._clock.now_s() + seconds)
