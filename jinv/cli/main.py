"""The console command `jinv`."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, get_args, get_origin

import tyro
from rich.console import Console
from rich.markup import escape

from jinv.errors import JinvError
from jinv.suggest import near

COMMANDS = {
    "evaluate": "Evaluate",
    "invert": "Invert",
    "models": "Models",
    "search": "Search",
    "supermask": "FindSupermask",
    "synthesize": "Synthesize",
    "train": "Train",
}
"""Sub-commands: the module of that name → its dataclass of options."""


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
    words = list(sys.argv[1:] if arguments is None else arguments)
    module = import_module(f"jinv.cli.{name}")
    try:
        defaults = getattr(module, "defaults", None)
        extra = {"default": defaults(words)} if defaults else {}
        options = tyro.cli(
            getattr(module, COMMANDS[name]),
            prog=f"jinv {name}",
            args=words,
            registry=_registry,
            **extra,
        )
        return module.run(options)
    except JinvError as error:
        return _refuse(str(error))


_registry = tyro.constructors.ConstructorRegistry()


@_registry.primitive_rule
def _comma_separated(info: Any) -> tyro.constructors.PrimitiveConstructorSpec | None:
    """Let lists of integers be written with commas, as classes are."""
    if get_origin(info.type) is not tuple or get_args(info.type) != (int, ...):
        return None
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="INT,…",
        instance_from_str=lambda words: tuple(map(int, words[0].split(","))),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [",".join(map(str, value))],
    )


def _refuse(message: str) -> int:
    Console(stderr=True, soft_wrap=True).print(f"[red]error:[/red] {escape(message)}")
    return 2
