# mypy: ignore-errors
"""Celery on Redis: `worker` runs the worker, `client` measures and prints one JSON line.

Runs in an environment of its own. Settings in its favour (Celery's guide "Optimizing"): a large prefetch for short
tasks, the pool without any hand-over (`solo`), no gossip, no mingle, no heartbeats, no events; one `group` submits
all. Results come over Redis' publish/subscribe, as this backend always does, and are not polled for.
"""

import json
import sys
import time

from celery import Celery, group

ROLE, SERVER, _FOLDER, *SIZES = sys.argv[1:]
DATA = "x" * 89
PATIENCE_S = 120

app = Celery("bench", broker=f"redis://{SERVER}/0", backend=f"redis://{SERVER}/1")
app.conf.update(
    worker_prefetch_multiplier=128,
    worker_disable_rate_limits=True,
    worker_send_task_events=False,
    task_ignore_result=False,
    broker_connection_retry_on_startup=True,
    result_expires=3600,
)


@app.task(name="noop")
def noop(data):
    """Do nothing."""


def bulk(tasks):
    """Submit all in one group; wait for every result."""
    group(noop.s(DATA) for _ in range(tasks)).apply_async().get(timeout=PATIENCE_S)


def single():
    """Submit one; wait for its result."""
    noop.delay(DATA).get(timeout=PATIENCE_S)


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
        quiet = ("--loglevel=ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat")
        app.worker_main(["worker", "--pool=solo", *quiet])
    else:
        client(*map(int, SIZES))
