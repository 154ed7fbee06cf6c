"""The console command `jinv`."""

import sys
from collections.abc import Sequence
from importlib import import_module

import tyro
from rich.console import Console

from jinv.errors import JinvError
from jinv.suggest import near

COMMANDS = {
    "train": "Train",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command; returns the exit status.

    A `JinvError` is printed on one line and ends with status 2.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print("usage: jinv {" + ",".join(COMMANDS) + "} [options]   (--help for each)")
        return 0 if words else 2
    if words[0] not in COMMANDS:
        return _refuse(f"unknown command {words[0]!r}{near(words[0], COMMANDS)}")
    return run_command(words[0], words[1:])


def run_command(name: str, arguments: Sequence[str] | None = None) -> int:
    """Parse one sub-command's options and run it; returns the exit status."""
    module = import_module(f"jinv.cli.{name}")
    try:
        options = tyro.cli(getattr(module, COMMANDS[name]), args=arguments)
        return module.run(options)
    except JinvError as error:
        return _refuse(str(error))


def _refuse(message: str) -> int:
    Console(stderr=True, soft_wrap=True).print(f"[red]error:[/red] {message}")
    return 2
