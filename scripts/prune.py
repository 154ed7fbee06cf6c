#!/usr/bin/env python3
from jinv.cli.main import run_command

if __name__ == "__main__":
    raise SystemExit(run_command("prune"))
