"""Parsing: how the words of a command line become options."""

import re
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import tyro

from jinv.checked import check_all
from jinv.errors import ConfigError, ValueRefused
from jinv.values import plain_kind

Options = TypeVar("Options")

_registry = tyro.constructors.ConstructorRegistry()


_LISTS = {int: ("INT,…", "whole numbers"), float: ("FLOAT,…", "numbers")}


@_registry.primitive_rule
def _comma_separated(info: Any) -> tyro.constructors.PrimitiveConstructorSpec | None:
    """Let lists of numbers be written with commas, as classes are, or with blanks."""
    arguments = get_args(info.type)
    endless = get_origin(info.type) is tuple and arguments[1:] == (...,)
    kind = plain_kind(arguments[0]) if endless else str
    if kind not in _LISTS:
        return None
    metavar, words_for = _LISTS[kind]

    def read(words: list[str]) -> tuple:
        if not words:
            raise ValueError(f"expected {words_for}, found nothing")
        text = ",".join(words).strip("()[]")
        try:
            return tuple(kind(part) for part in text.split(",") if part.strip())
        except ValueError:
            raise ValueError(
                f"expected {words_for} with commas between them, found {text!r}"
            ) from None

    return tyro.constructors.PrimitiveConstructorSpec(
        nargs="*",
        metavar=metavar,
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [",".join(map(str, value))],
    )


def _one_word(
    kind: type, metavar: str, expected: str, make: Callable[[str], Any]
) -> Callable[[Any], tyro.constructors.PrimitiveConstructorSpec | None]:
    """A rule that refuses an empty word, as of a shell's variable that nobody set."""

    def read(words: list[str]) -> Any:
        if not words[0]:
            raise ValueError(f"expected {expected}, found nothing between the quotes")
        return make(words[0])

    def rule(info: Any) -> tyro.constructors.PrimitiveConstructorSpec | None:
        if info.type is not kind:
            return None
        return tyro.constructors.PrimitiveConstructorSpec(
            nargs=1,
            metavar=metavar,
            instance_from_str=read,
            is_instance=lambda value: isinstance(value, kind),
            str_from_instance=lambda value: [str(value)],
        )

    return rule


_registry.primitive_rule(_one_word(str, "STR", "text", str))
# A shell leaves ~ where it does not begin a word, as in --out=~/runs.
_registry.primitive_rule(
    _one_word(Path, "PATH", "a path", lambda word: Path(word).expanduser())
)


def parse(
    options_class: type[Options], name: str, words: Sequence[str], **extra: Any
) -> Options:
    """Parse the options of a sub-command from its words.

    Args:
        options_class: Dataclass of the options.
        name: Name of the sub-command, for messages.
        words: Words that follow the name on the command line.
        extra: Extra arguments of `tyro.cli`, as `default`.

    Raises:
        ConfigError: The words cannot be understood, or a value cannot be.
        SystemExit: The words ask for help (status 0).
    """
    said = StringIO()
    try:
        with redirect_stderr(said):
            options = tyro.cli(
                options_class,
                prog=f"jinv {name}",
                args=words,
                registry=_registry,
                **extra,
            )
        check_all(options)
    except ValueRefused as error:
        raise ConfigError(f"--{str(error).replace('_', '-', 1)}") from None
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise ConfigError(
            f"{_in_one_line(said.getvalue())}; see jinv {name} --help"
        ) from None
    return options


def _in_one_line(box: str) -> str:
    """What tyro says in a box: its complaint, and the options that may be meant.

    A box has a title, and sections with lines between them; help is indented further
    than the options that it explains.
    """
    lines = [line[2:].rstrip(" │|") for line in box.splitlines()[1:]]
    kept = [line for line in lines if not line.startswith(8 * " ")]
    plain = "\n".join(line.strip() for line in kept)
    sections = re.split(r"\n[─-]{3,}\n|\n[╰+][─-]+\S?", plain)
    complaint = " ".join(sections[0].split()).rstrip(".")
    for section in sections[1:]:
        if "meant" in section:
            flags = re.findall(r"--[\w-]+", section)
            complaint += f" (did you mean {' or '.join(flags)}?)"
    return complaint
