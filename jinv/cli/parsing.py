"""How the words of a command line become options."""

from collections.abc import Sequence
from typing import Any, TypeVar, get_args, get_origin

import tyro

Options = TypeVar("Options")

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


def parse(
    options_class: type[Options], name: str, words: Sequence[str], **extra: Any
) -> Options:
    """The options of a sub-command that its words ask for.

    Args:
        options_class: Dataclass of the options.
        name: Of the sub-command, for messages.
        words: What follows the name on the command line.
        extra: More for `tyro.cli`, as `default`.

    Raises:
        SystemExit: The words ask for help (status 0), or cannot be understood (2).
    """
    return tyro.cli(
        options_class, prog=f"jinv {name}", args=words, registry=_registry, **extra
    )
