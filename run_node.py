"""Run a node: the same as ``moorline node``."""

import sys

from moorline.cli import main

if __name__ == "__main__":
    main(["node", *sys.argv[1:]])
