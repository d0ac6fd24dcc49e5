"""The reference of the metrics, made from their table.

``python -m hub.metrics.reference`` prints it; `docs/reference/metrics.md` is that, and a test compares them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from hub.metrics.metric import Metric
from hub.metrics.samples import NAMES_MAX
from hub.metrics.table import SECTIONS

_HEAD = f"""# Metrics

`GET /metrics` on the hub's HTTP port, in Prometheus' text format. It takes a token with the role `read`; with
`--metrics-open` it takes none. A text is made at most once a second, on a thread of its own, from what the hub counts
anyway. [How to set Prometheus up](../how-to/monitor-with-prometheus.md).

No label names a task or a node: series do not grow with the fleet. The first {NAMES_MAX} task names have series of
their own; the others share the name `(other)`. Counters begin at 0 with the hub's process. A histogram is exported as
`…_bucket`, `…_sum` and `…_count`.
"""

_TAIL = """
## The process

What `prometheus-client` tells on Linux: `process_cpu_seconds_total`, `process_resident_memory_bytes`,
`process_virtual_memory_bytes`, `process_open_fds`, `process_max_fds`, `process_start_time_seconds`.
"""


def document() -> str:
    """Give the page."""
    return "".join(_lines())


def _lines() -> Iterator[str]:
    yield _HEAD
    for title, metrics in SECTIONS.items():
        yield f"\n## {title}\n\n| metric | type | labels | means |\n| --- | --- | --- | --- |\n"
        yield from map(_row, metrics)
    yield _TAIL


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.exported}` | {metric.kind} | {labels} | {metric.about} |\n"


if __name__ == "__main__":
    sys.stdout.write(document())
