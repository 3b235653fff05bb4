"""`python -m tests.bench.feed.exchange`: a stand-in of Binance with many pairs, as a process of its own.

It has the limits of the original, by the clock of this machine. Its rows are written beforehand, so that it
takes little of the processor that it shares with what is measured. It prints its address, and when its input
ends what it was asked.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from itertools import islice

from backcast_engine.candles import Candles
from backcast_engine.interval import Interval
from services.feed.clock import SystemClock
from services.feed.exchanges.all_exchanges import EXCHANGES
from services.local.sample_market import sample_market
from tests.feed.stand_in import Params, Served, StandIn, serving

# Histories that differ; pairs have them in turn. Rows of one are 8 MB.
_HISTORIES = 11


@dataclass
class BigExchange(StandIn):
    """A stand-in of Binance whose pairs have candles of all hours from `start_s` (Unix seconds) on."""

    start_s: int = 0
    rows: list[list[bytes]] = field(default_factory=list)

    def answer(self, path: str, params: Params, fault: str) -> tuple[int, bytes]:
        """Return status and body of the answer to a request."""
        if path != "/api/v3/klines":
            return super().answer(path, params, fault)
        rows = self.rows[list(self.served).index(params["symbol"]) % len(self.rows)]
        hour_ms = 1000 * Interval.HOUR_1.seconds
        first = max(-(-(int(params["startTime"]) - 1000 * self.start_s) // hour_ms), 0)
        after = (int(params["endTime"]) - 1000 * self.start_s) // hour_ms + 1
        return 200, b"[" + b",".join(rows[first : min(after, first + int(params["limit"]))]) + b"]"


def big_exchange(pairs: int, start_s: int) -> BigExchange:
    """Return a stand-in with so many pairs."""
    # Two more close while it is measured.
    hours = (int(time.time()) - start_s) // Interval.HOUR_1.seconds + 2
    histories = islice(sample_market(hours, start_s), min(pairs, _HISTORIES))
    return BigExchange(
        EXCHANGES["binance"],
        SystemClock(),
        {f"BIG{number:03}USDT": Served("", {}) for number in range(pairs)},
        start_s=start_s,
        rows=[_rows(candles) for _, candles in histories],
    )


def _rows(candles: Candles) -> list[bytes]:
    """Write candles as Binance does."""
    columns = (column.tolist() for column in candles.columns())
    return [
        f'[{time_s}000,"{open_:.8f}","{high:.8f}","{low:.8f}","{close:.8f}","{volume:.8f}",'
        f'{time_s + 3599}999,"1.00000000",7,"1.00000000","1.00000000","0"]'.encode()
        for time_s, open_, high, low, close, volume in zip(*columns, strict=True)
    ]


def _serve(pairs: int, start_s: int) -> None:
    with serving(big_exchange(pairs, start_s)) as exchange:
        print(exchange.base_url, flush=True)
        sys.stdin.read()
        asked = len(exchange.asked)
        print(
            json.dumps(
                {"requests": asked, "weight": sum(exchange.weights.values()), "most_used": exchange.most_used}
            )
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.feed.exchange", description=__doc__)
    parser.add_argument("pairs", type=int)
    parser.add_argument("start_s", type=int)
    arguments = parser.parse_args()
    _serve(arguments.pairs, arguments.start_s)
