# mypy: ignore-errors
"""Dask distributed: `server` is the scheduler, `worker` the worker, `client` measures and prints one JSON line.

Runs in an environment of its own. In its favour: uvloop, one thread (a no-op gains nothing from more), no nanny, no
dashboard, no profile, no stealing, tasks sent to the worker before it asks (`worker-saturation: inf`), `map` in batches
and one `gather`.
"""

import json
import os
import sys
import time

os.environ.update(
    DASK_DISTRIBUTED__ADMIN__EVENT_LOOP="uvloop",
    DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING="False",
    DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION="inf",
    DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED="False",
    DASK_LOGGING__DISTRIBUTED="error",
)

ROLE, SERVER, FOLDER, *SIZES = sys.argv[1:]
DATA = "x" * 89
PATIENCE_S = 120


def noop(data):
    """Do nothing."""


def bulk(dask, tasks):
    """Submit all; wait for every result."""
    dask.gather(dask.map(noop, [DATA] * tasks, pure=False, batch_size=1000))


def single(dask):
    """Submit one; wait for its result."""
    dask.submit(noop, DATA, pure=False).result(timeout=PATIENCE_S)


def client(tasks, singles, warm_up):
    """Measure both after a warm-up."""
    from distributed import Client  # noqa: PLC0415 - the other roles start its programs

    with Client(f"tcp://{SERVER}", set_as_default=False) as dask:
        dask.wait_for_workers(1, timeout=PATIENCE_S)
        single(dask)
        bulk(dask, warm_up)
        begun = time.perf_counter()
        bulk(dask, tasks)
        seconds = time.perf_counter() - begun
        times_ms = []
        for number in range(-min(50, singles), singles):
            begun = time.perf_counter()
            single(dask)
            if number >= 0:
                times_ms.append((time.perf_counter() - begun) * 1000)
    print(json.dumps({"tasks": tasks, "seconds": seconds, "times_ms": times_ms}))


if __name__ == "__main__":
    host, port = SERVER.split(":")
    if ROLE == "server":
        command = ("scheduler", "--host", host, "--port", port, "--no-dashboard", "--no-show")
        os.execv(sys.executable, [sys.executable, "-m", "dask", *command])
    if ROLE == "worker":
        alone = ("--nworkers", "1", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", FOLDER)
        os.execv(sys.executable, [sys.executable, "-m", "dask", "worker", f"tcp://{SERVER}", *alone])
    client(*map(int, SIZES))
