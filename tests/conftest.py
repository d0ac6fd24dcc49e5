"""What holds for all tests."""

from __future__ import annotations

import contextlib
import gc
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.protocol.manager import Manager, manager

# Speed is checked by benchmarks: on a busy machine any example may take long.
settings.register_profile("moorline", deadline=None)
settings.load_profile("moorline")

# A shell that starts this in the background has it ignore Ctrl-C, nohup the end of a terminal, and what is ignored is
# inherited: the programs that tests send these to would ignore them too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make captured output printable: tests log lone surrogates on purpose, and reports travel between processes."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "replace").decode()) for name, text in report.sections]
    return report


def open_sockets() -> int:
    """Count this process's sockets, as its descriptors name them."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        # The one that lists them is closed by now.
        with contextlib.suppress(FileNotFoundError):
            count += str(descriptor.readlink()).startswith("socket:")
    return count


@pytest.fixture(autouse=True)
def sockets_left_open() -> Iterator[None]:
    """Have a test that leaves a socket open fail itself, and not whichever test meets the garbage later."""
    before = open_sockets()
    yield
    if open_sockets() > before:
        # What nobody holds any more speaks up now; what a fixture of the module holds is left in peace.
        gc.collect()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Manager]:
    """A service manager that listens."""
    with manager(tmp_path) as listening:
        yield listening
