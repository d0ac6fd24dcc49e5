"""Which metrics a query names, and which there are."""

from __future__ import annotations

import re

from hub.metrics.table import METRICS

# What prometheus-client tells of a process on Linux, and what Prometheus adds itself.
_OTHERS = {
    *("process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes"),
    *("process_open_fds", "process_max_fds", "process_start_time_seconds", "up"),
}

_NAME = re.compile(r"(?<![:\w])(?:moorline|process)_[a-z_]+|(?<![:\w])up(?=\{)")


def exported() -> set[str]:
    """Give every name that a query may use."""
    names = set(_OTHERS)
    for metric in METRICS:
        endings = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
        names.update(metric.exported + ending for ending in endings)
    return names


def named(query: str) -> set[str]:
    """Give the metrics that a query names; what a recording rule computed is none."""
    return set(_NAME.findall(query))
