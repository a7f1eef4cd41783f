"""A process that shares a rate limit with others: it notes the time of each turn.

python tests/support/limited_worker.py STORE TURNS REQUESTS_PER_MINUTE
"""

from __future__ import annotations

import sys
import time

from rivya_core.http.clients import Clients
from rivya_core.storage.limits.limiter import RateLimiter

if __name__ == "__main__":
    store, turns, per_minute = sys.argv[1:]
    limiter = RateLimiter(float(per_minute), store=store)
    Clients().driver.run(
        RateLimiter(60, store=store, name="warm-up").try_now()
    )  # what is imported late is imported now
    print("up", flush=True)  # noqa: T201
    sys.stdin.readline()
    for _ in range(int(turns)):
        Clients().driver.run(limiter.wait())
        print(time.time(), flush=True)  # noqa: T201
