"""The pace of requests: stays below the exchange's limit, and waits where the exchange says so."""

from collections import deque

from services.feed.clock import Clock
from services.feed.exchanges.exchange import Limit

# Others on this machine may ask the exchange too.
_SHARE = 0.8


class Pace:
    """Counts the weight that is used, and has requests wait where the limit would be passed.

    Where the exchange's answers state the used weight, its windows are known: they start with each minute of
    its clock. Where they do not, the weight of any `window_s` seconds stays below the limit, wherever the
    exchange's windows start.
    """

    def __init__(self, limit: Limit, clock: Clock) -> None:
        self._most = limit.weight * _SHARE
        self._window_s = limit.window_s
        self._knows_windows = bool(limit.used_header)
        self._clock = clock
        self._window: int | None = None
        self._ahead_s = 0.0
        self._paused_until_s = 0.0
        self._used = 0
        # When requests were sent, and their weight, where windows are not known.
        self._sent: deque[tuple[float, int]] = deque()

    @property
    def used(self) -> int:
        """The weight used in the present window."""
        return self._used

    @property
    def waits_until_s(self) -> float:
        """The time in Unix seconds up to which the exchange wants no request; 0 if it said nothing."""
        return self._paused_until_s

    async def take(self, weight: int) -> None:
        """Return when a request of this weight may be sent, and count it."""
        while True:
            if (pause_s := self._paused_until_s - self._clock.now_s()) > 0:
                await self._clock.sleep(pause_s)
                continue
            next_s = self._begin_window() if self._knows_windows else self._forget_sent()
            if self._used + weight <= self._most or not self._used:
                self._used += weight
                if not self._knows_windows:
                    self._sent.append((self._clock.now_s(), weight))
                return
            await self._clock.sleep(next_s - self._clock.now_s())

    def note_used(self, used: int, exchange_s: float) -> None:
        """Note the used weight that an answer states, at a time of the exchange's clock in whole seconds."""
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

    def _begin_window(self) -> float:
        """Count from 0 if the exchange's window is a new one; return when the next one begins."""
        now_s = self._clock.now_s() + self._ahead_s
        window = int(now_s // self._window_s)
        if self._window is None or window > self._window:
            self._window, self._used = window, 0
        return (self._window + 1) * self._window_s - self._ahead_s

    def _forget_sent(self) -> float:
        """Count no more what was sent a window ago; return when the oldest that counts does no more."""
        now_s = self._clock.now_s()
        while self._sent and self._sent[0][0] + self._window_s <= now_s:
            self._used -= self._sent.popleft()[1]
        return self._sent[0][0] + self._window_s if self._sent else now_s
