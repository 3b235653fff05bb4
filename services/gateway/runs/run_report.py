"""What is told of every run when it ends or is paused."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class RunReport:
    """One run: for the log and the metrics.

    `outcome` is `completed`, `cancelled`, `paused` (nobody watches it now) or what it failed of: an error's
    name in small letters.
    `phases_s` are seconds by phase, in their order: `plan` (what is asked for, and which cryptos there are),
    `cache` (reading it), `first_result` and `total`, both from the request's arrival.
    """

    run_id: str
    method: str
    client: str
    strategy: str
    outcome: str = ""
    total: int = 0
    completed: int = 0
    failed: int = 0
    from_cache: int = 0
    shared: int = 0
    """Those from the cache that another run, which wanted the same at the same time, had computed."""
    phases_s: dict[str, float] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)
    """What the metrics have of its backtests already: a run that was paused and goes on is told twice."""
