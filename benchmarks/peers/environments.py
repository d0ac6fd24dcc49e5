"""An environment of its own for each peer, under `.bench/`: made on first use, and kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

import orjson

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / ".bench"

# Some wheels are large, and the network may be slow.
INSTALLED_WITHIN_S: Final = 600.0

_VERSIONS: Final = (
    "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
)


class UnavailableError(Exception):
    """A peer or its server cannot be had here; the text says why. It is left out, by name."""


def interpreter(name: str, packages: tuple[str, ...]) -> str:
    """Give the Python with exactly these packages, made if it is not there yet; Moorline's own if there are none.

    Raises:
        UnavailableError: They cannot be installed.
    """
    if not packages:
        return sys.executable
    folder = FOLDER / name
    python = folder / "bin" / "python"
    stamp = folder / "installed.txt"
    wanted = "\n".join(packages)
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        _installed(command, ", ".join(packages))
        stamp.write_text(wanted)
    return str(python)


def versions(python: str, packages: tuple[str, ...]) -> dict[str, str]:
    """Give the versions of the named packages that an interpreter has; names without their pins and extras."""
    output = subprocess.run([python, "-c", _VERSIONS], check=True, capture_output=True, timeout=60).stdout
    installed: dict[str, str] = orjson.loads(output)
    names = [package.partition("==")[0].partition("[")[0] for package in packages]
    return {name: installed[name] for name in names if name in installed}


def redis_server() -> str:
    """Give the path of Redis' server; install Debian's package if it is missing and that is allowed.

    Raises:
        UnavailableError: It is not there and cannot be installed.
    """
    if (path := shutil.which("redis-server")) is not None:
        return path
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise UnavailableError("redis-server is not installed, and only root on Debian may install it")
    _installed(["apt-get", "install", "-y", "--no-install-recommends", "redis-server"], "redis-server")
    if shutil.which("systemctl") is not None:
        # The package's own service has no part in this; where no service manager runs there is nothing to disable.
        subprocess.run(["systemctl", "disable", "--now", "redis-server"], check=False, capture_output=True, timeout=60)
    if (path := shutil.which("redis-server")) is None:
        raise UnavailableError("the package redis-server brought no redis-server")
    return path


def _installed(command: list[str], what: str) -> None:
    # RUNLEVEL=1: Debian's packages do not start their services then.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=INSTALLED_WITHIN_S, env=environment)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or b""
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise UnavailableError(f"cannot install {what}: {last or error}") from error
