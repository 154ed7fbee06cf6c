"""Values on the command line that are more than a word or a number."""

from collections.abc import Callable
from typing import Any

import tyro

from jinv.errors import JinvError


def listed(parse: Callable[[str], Any], metavar: str) -> Any:
    """A tyro annotation for an option whose one word is parsed by `parse`."""

    def build(words: list[str]) -> Any:
        try:
            return parse(words[0])
        except JinvError as error:
            raise ValueError(str(error)) from error

    spec = tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=build,
        is_instance=lambda _: True,
        str_from_instance=lambda value: [str(value)],
    )
    return spec
