"""Run a program whose wall clock can be set: ``python -m tests.faults.jumping OFFSET_FILE PROGRAM [ARGUMENT …]``.

The file holds the seconds to add, and may change while the program runs. Only this process's wall clock is moved: to
move the machine's would disturb everybody, and takes rights that a test has not.
"""

from __future__ import annotations

import runpy
import sys
import time
from pathlib import Path


def main() -> None:
    """Move the clock, then run the program in this process."""
    offset, program = Path(sys.argv[1]), sys.argv[2]
    true_time = time.time

    def jumping_time() -> float:
        return true_time() + float(offset.read_text() or "0")

    time.time = jumping_time
    sys.argv = sys.argv[2:]
    sys.path.insert(0, str(Path(program).resolve().parent))
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
