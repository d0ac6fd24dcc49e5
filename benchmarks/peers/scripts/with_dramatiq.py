# mypy: ignore-errors
"""Dramatiq on Redis with results: `worker` runs the worker, `client` measures and prints one JSON line.

Runs in an environment of its own. In its favour: one process, few threads (a no-op gains nothing from more), a large
prefetch, a short idle wait of the consumer, one `group` submits all, results are awaited with Redis' blocking call.
"""

import json
import os
import sys
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

ROLE, SERVER, _FOLDER, *SIZES = sys.argv[1:] if __name__ == "__main__" else ("", os.environ["PEER_SERVER"], "")
DATA = "x" * 89
PATIENCE_MS = 120_000

broker = RedisBroker(url=f"redis://{SERVER}/0")
broker.add_middleware(Results(backend=RedisBackend(url=f"redis://{SERVER}/1")))
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True, max_retries=0)
def noop(data):
    """Do nothing."""


def bulk(tasks):
    """Submit all in one group; wait for every result."""
    group = dramatiq.group(noop.message(DATA) for _ in range(tasks)).run()
    for _ in group.get_results(block=True, timeout=PATIENCE_MS):
        pass


def single():
    """Submit one; wait for its result."""
    noop.send(DATA).get_result(block=True, timeout=PATIENCE_MS)


def client(tasks, singles, warm_up):
    """Measure both after a warm-up."""
    single()
    bulk(warm_up)
    begun = time.perf_counter()
    bulk(tasks)
    seconds = time.perf_counter() - begun
    times_ms = []
    for number in range(-min(50, singles), singles):
        begun = time.perf_counter()
        single()
        if number >= 0:
            times_ms.append((time.perf_counter() - begun) * 1000)
    print(json.dumps({"tasks": tasks, "seconds": seconds, "times_ms": times_ms}))


if __name__ == "__main__":
    if ROLE == "worker":
        os.environ.update(PEER_SERVER=SERVER, dramatiq_queue_prefetch="200", dramatiq_worker_timeout="3")
        here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
        command = ("with_dramatiq", "--path", here, "--processes", "1", "--threads", "2", "--skip-logging")
        os.execv(sys.executable, [sys.executable, "-m", "dramatiq", *command])
    client(*map(int, SIZES))
