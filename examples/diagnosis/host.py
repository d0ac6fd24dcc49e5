"""How is this machine: processor, memory, disks, load, uptime."""

from __future__ import annotations

import os
import platform
import socket
import time

import psutil

from examples.diagnosis.validation import check_integer, check_seconds
from moorline import Context, task

SAMPLE_S_MAX = 60.0
# One look at the clock of cancellation per this long, while the processor is being watched.
SLICE_S = 0.5
DISKS_MAX = 64


@task(name="diagnosis.host_report", timeout_s=SAMPLE_S_MAX + 30, labels={"pack": "diagnosis"})
def host_report(context: Context, sample_s: float = 0.2, disks_max: int = 16) -> dict[str, object]:
    """Report on the machine as psutil sees it.

    Args:
        context: given by the node.
        sample_s: watch the processor for this long (0.1-60 s): a single look says nothing.
        disks_max: report at most so many mounted disks (1-64), the fullest first.

    Returns:
        ``host_name, system, cpu, memory, swap, disks, load, uptime_s, process_count``.

    Raises:
        ValueError: an argument makes no sense.
    """
    check_seconds("sample_s", sample_s, 0.1, SAMPLE_S_MAX)
    check_integer("disks_max", disks_max, 1, DISKS_MAX)
    memory = psutil.virtual_memory()
    swap = psutil.swap_memory()
    return {
        "host_name": socket.gethostname(),
        "system": f"{platform.system()} {platform.release()}",
        "cpu": {
            "count_logical": psutil.cpu_count(),
            "count_physical": psutil.cpu_count(logical=False),
            "busy_percent": _busy_percent(context, sample_s),
        },
        "memory": {
            "total_bytes": memory.total,
            "available_bytes": memory.available,
            "used_percent": memory.percent,
        },
        "swap": {"total_bytes": swap.total, "used_bytes": swap.used, "used_percent": swap.percent},
        "disks": _disks(disks_max),
        "load": dict(zip(("minutes_1", "minutes_5", "minutes_15"), os.getloadavg(), strict=True)),
        "uptime_s": round(time.time() - psutil.boot_time(), 1),
        "process_count": len(psutil.pids()),
    }


def _busy_percent(context: Context, sample_s: float) -> float:
    """Give the share of all processors' time that was not idle, over the sample or until cancelled."""
    before = psutil.cpu_times()
    end_s = time.monotonic() + sample_s
    while (left_s := end_s - time.monotonic()) > 0 and not context.cancelled:
        time.sleep(min(SLICE_S, left_s))
        context.progress(sample_s - max(0.0, end_s - time.monotonic()), sample_s, "watching the processor")
    after = psutil.cpu_times()
    total_s = sum(after) - sum(before)
    idle_s = after.idle - before.idle
    return round(100 * max(0.0, 1 - idle_s / total_s), 1) if total_s > 0 else 0.0


def _disks(disks_max: int) -> list[dict[str, object]]:
    disks: list[dict[str, object]] = []
    for partition in psutil.disk_partitions(all=False):
        try:
            usage = psutil.disk_usage(partition.mountpoint)
        except OSError:
            # A stale mount, or one that is not ours to see.
            continue
        disks.append(
            {
                "mount_point": partition.mountpoint,
                "device": partition.device,
                "file_system": partition.fstype,
                "total_bytes": usage.total,
                "free_bytes": usage.free,
                "used_percent": usage.percent,
            }
        )
    disks.sort(key=lambda disk: (-float(str(disk["used_percent"])), str(disk["mount_point"])))
    return disks[:disks_max]
