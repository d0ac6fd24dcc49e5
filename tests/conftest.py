"""What holds for all tests."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import settings

# Speed is checked by benchmarks: on a busy machine any example may take long.
settings.register_profile("moorline", deadline=None)
settings.load_profile("moorline")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make captured output printable: tests log lone surrogates on purpose, and reports travel between processes."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "replace").decode()) for name, text in report.sections]
    return report
