"""`python -m jinv` is the console command `jinv`."""

import sys

from jinv.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
