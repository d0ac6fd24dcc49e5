from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from examples.diagnosis import host_report
from tests.examples.diagnosis.contexts import Notebook, make_context


def test_the_report_names_its_units_and_is_json() -> None:
    notebook = Notebook()
    report: Any = host_report(make_context(notebook), sample_s=0.1)
    assert json.loads(json.dumps(report)) == report
    assert report["memory"]["total_bytes"] > 0
    assert 0 <= report["cpu"]["busy_percent"] <= 100
    assert report["uptime_s"] > 0
    assert set(report["load"]) == {"minutes_1", "minutes_5", "minutes_15"}
    done_s, total_s, _ = notebook.progress[-1]
    assert total_s == 0.1
    assert done_s == pytest.approx(total_s)


def test_the_fullest_disks_come_first_and_stale_ones_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = {"/low": 10.0, "/full": 95.0, "/middle": 50.0}

    def usage(path: str) -> SimpleNamespace:
        if path not in mounts:
            raise OSError("stale")
        return SimpleNamespace(total=1000, free=500, percent=mounts[path])

    partitions = [SimpleNamespace(mountpoint=path, device="d", fstype="ext4") for path in (*mounts, "/stale")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **options: partitions)
    monkeypatch.setattr(psutil, "disk_usage", usage)
    report: Any = host_report(make_context(), sample_s=0.1, disks_max=2)
    assert [disk["mount_point"] for disk in report["disks"]] == ["/full", "/middle"]


def test_cancelling_ends_the_watch_at_once() -> None:
    report: Any = host_report(make_context(Notebook(cancelled=True)), sample_s=60)
    assert report["cpu"]["busy_percent"] >= 0


@pytest.mark.parametrize(("argument", "value"), [("sample_s", 0), ("sample_s", True), ("disks_max", 0)])
def test_nonsense_is_refused(argument: str, value: Any) -> None:
    arguments: dict[str, Any] = {argument: value}
    with pytest.raises(ValueError, match=f"^{argument} is "):
        host_report(make_context(), **arguments)
