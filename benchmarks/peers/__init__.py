"""The same work done by Moorline and by others, in one run; `python -m benchmarks.peers`."""
