"""Run a hub from a checkout: the same as ``moorline hub``."""

import sys

from moorline.cli import main

if __name__ == "__main__":
    main(["hub", *sys.argv[1:]])
