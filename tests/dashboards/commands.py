"""The commands as processes, and what they may have left behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil


def start_command(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start `moorline` with these arguments; its temporary files are in the folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "moorline.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )


def left_behind_in(folder: Path) -> list[psutil.Process]:
    """Give the processes that still work in a folder, once those that are ending had a moment for it.

    The children of a killed node end by themselves, and nobody waits for them.
    """
    deadline_s = time.monotonic() + 5
    while (found := _working_in(folder)) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return found


def _working_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if str(folder) in process.cwd():
                found.append(process)
    return found
