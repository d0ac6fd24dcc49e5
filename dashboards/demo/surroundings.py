"""Find what there is to look at on this machine: Python's own folders, the system's settings, the logs."""

from __future__ import annotations

import contextlib
import os
import sysconfig
from pathlib import Path

from dashboards.demo.services import Ports
from dashboards.demo.workload import Surroundings

# So many folders, each with a thousand entries at most: a look at one is work, and soon over.
FOLDERS_MAX = 24
FOLDER_ENTRIES_MAX = 1_000


def look_around(ports: Ports) -> Surroundings:
    """Give what the tasks are to look at. Takes a moment: it counts files."""
    library = Path(sysconfig.get_path("stdlib"))
    candidates = [*sorted(path for path in library.iterdir() if not path.is_symlink()), Path("/etc")]
    code_folders = [str(path) for path in candidates if _is_fit(path)]
    log_folders = [str(path) for path in (Path("/var/log"), library / "logging", library / "json") if is_readable(path)]
    return Surroundings(
        http_port=ports.http,
        tcp_port=ports.tcp,
        closed_port=ports.closed,
        tls_port=ports.tls,
        ca_path=str(ports.ca_path) if ports.ca_path else None,
        code_folders=code_folders[-FOLDERS_MAX:] or [str(library)],
        log_folders=log_folders or [str(library)],
    )


def is_readable(folder: Path) -> bool:
    """Tell whether this is a folder that we may list."""
    with contextlib.suppress(OSError):
        return folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
    return False


def _is_fit(folder: Path) -> bool:
    """Tell whether there is something in it, and not too much."""
    if not is_readable(folder):
        return False
    count = 0
    for _, folders, files in os.walk(folder):
        count += len(folders) + len(files)
        if count > FOLDER_ENTRIES_MAX:
            return False
    return count > 0
