"""Programs that tests ask and that pip cannot install."""

from __future__ import annotations

import os
import shutil

import pytest


def program(*names: str, package: str) -> str:
    """Give the path of the first of these that is here.

    Where none is, CI fails, and a person's run goes on without: it says what to install for the rest.
    """
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is not None:
        return found
    message = f"{names[0]} is missing: apt-get install {package}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
