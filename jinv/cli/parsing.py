"""Parsing: how the words of a command line become options."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import fields, is_dataclass
from io import StringIO
from itertools import chain
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import tyro

from jinv.checked import check_all
from jinv.errors import ConfigError, ValueRefused
from jinv.values import plain_kind

Options = TypeVar("Options")

_registry = tyro.constructors.ConstructorRegistry()


_LISTS = {int: ("INT", "whole numbers"), float: ("FLOAT", "numbers")}


@_registry.primitive_rule
def _comma_separated(info: Any) -> tyro.constructors.PrimitiveConstructorSpec | None:
    """Let lists of numbers be written with commas, as classes are, or with blanks.

    They are as long as one likes, or of a given number of numbers, or of groups of
    such, which follow each other.
    """
    if get_origin(info.type) is not tuple:
        return None
    first, *others = get_args(info.type)
    endless = others == [...]
    grouped = endless and get_origin(plain_kind(first)) is tuple
    each = get_args(plain_kind(first)) if grouped else (first, *others)
    kinds = {plain_kind(kind) for kind in each if kind is not ...}
    if len(kinds) != 1 or (kind := kinds.pop()) not in _LISTS:
        return None
    word, words_for = _LISTS[kind]
    length = len(each) if grouped or not endless else 0
    expected = f"{length} {words_for}" if length else words_for
    if grouped:
        expected = f"groups of {expected}"

    def read(words: list[str]) -> tuple:
        if not words:
            raise ValueError(f"expected {expected}, found nothing")
        text = ",".join(words).strip("()[]")
        try:
            found = tuple(kind(part) for part in text.split(",") if part.strip())
        except ValueError:
            raise ValueError(
                f"expected {expected} with commas between them, found {text!r}"
            ) from None
        if length and (len(found) % length if grouped else len(found) != length):
            raise ValueError(f"expected {expected}, found {text!r}")
        if not grouped:
            return found
        starts = range(0, len(found), length)
        return tuple(found[start : start + length] for start in starts)

    def written(value: tuple) -> str:
        return ",".join(map(str, chain(*value) if grouped else value))

    return tyro.constructors.PrimitiveConstructorSpec(
        nargs="*",
        metavar=",".join([word] * length) if length else f"{word},…",
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [written(value)],
    )


_NONE = "None"
"""What is written for no value, where one is optional."""


def _one_word(
    kind: type, metavar: str, expected: str, make: Callable[[str], Any]
) -> Callable[[Any], tyro.constructors.PrimitiveConstructorSpec | None]:
    """A rule for what one word tells, which may be optional.

    It refuses an empty word, as of a shell's variable that nobody set.
    """

    def read(words: list[str]) -> Any:
        if not words[0]:
            raise ValueError(f"expected {expected}, found nothing between the quotes")
        try:
            return make(words[0])
        except ValueError:
            raise ValueError(f"expected {expected}, found {words[0]!r}") from None

    def read_optional(words: list[str]) -> Any:
        return None if words[0] == _NONE else read(words)

    def rule(info: Any) -> tyro.constructors.PrimitiveConstructorSpec | None:
        union = get_origin(info.type) in (Union, UnionType)
        kinds = [plain_kind(part) for part in get_args(info.type)] if union else []
        optional = set(kinds) == {kind, NoneType}
        if info.type is not kind and not optional:
            return None
        return tyro.constructors.PrimitiveConstructorSpec(
            nargs=1,
            metavar=metavar,
            instance_from_str=read_optional if optional else read,
            is_instance=lambda value: (
                isinstance(value, kind) or (optional and value is None)
            ),
            str_from_instance=lambda value: [str(value)],
        )

    return rule


for _rule in (
    _one_word(str, "STR", "text", str),
    _one_word(int, "INT", "a whole number", int),
    _one_word(float, "FLOAT", "a number", float),
    # A shell leaves ~ where it does not begin a word, as in --out=~/runs.
    _one_word(Path, "PATH", "a path", lambda word: Path(word).expanduser()),
):
    _registry.primitive_rule(_rule)


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
        _check_once(options, words)
        check_all(options)
    except ValueRefused as error:
        name, _, complaint = str(error).partition(": ")
        flag = f"--{_prefix(extra.get('default'), error.owner)}{name}"
        raise ConfigError(f"{flag.replace('_', '-')}: {complaint}") from None
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise ConfigError(
            f"{_in_one_line(said.getvalue(), words)}; see jinv {name} --help"
        ) from None
    return options


def _check_once(options: Any, words: Sequence[str]) -> None:
    """Refuse a list of texts that is given twice: the last one would count alone."""
    flags = Counter(word.partition("=")[0] for word in words if word.startswith("--"))
    lists = {flag for flag in _lists(options) if flags[flag] > 1}
    if lists:
        flag = min(lists)
        raise ConfigError(
            f"{flag} is there twice, and the last one alone would count: give it once, "
            "with all values after it"
        )


def _lists(options: Any) -> Iterator[str]:
    """Flags of the lists of texts among the options, but of those that are appended.

    Numbers that are given again take the place of others, as single ones do.
    """
    for prefix, part in _parts(options):
        for name, kind in get_type_hints(type(part), include_extras=True).items():
            appended = tyro.conf.UseAppendAction in getattr(kind, "__metadata__", ())
            kind = plain_kind(kind)
            if get_origin(kind) is tuple and not appended:
                if plain_kind(get_args(kind)[0]) in (str, Path):
                    yield f"--{prefix}{name.replace('_', '-')}"


def _prefix(default: Any, owner: type | None) -> str:
    """What flags of a class begin with."""
    found = (prefix for prefix, part in _parts(default) if type(part) is owner)
    return next(found, "")


def _parts(options: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The options, and what options lie in them, each with what its flags begin with.

    Those of what is marked are called as if they were the command's own.
    """
    yield prefix, options
    if options is None:
        return
    hints = get_type_hints(type(options), include_extras=True)
    for each in fields(options):
        if is_dataclass(part := getattr(options, each.name)):
            marked = hasattr(hints[each.name], "__metadata__")
            yield from _parts(part, prefix if marked else f"{prefix}{each.name}.")


def _in_one_line(box: str, words: Sequence[str]) -> str:
    """What tyro says in a box: its complaint, and the options that may be meant.

    A box has a title, and sections with lines between them; help is indented further
    than the options that it explains. Where a terminal knows no frames, there are none.

    Args:
        box: What was printed.
        words: Words that it complains of.
    """
    sections: list[list[str]] = [[]]
    for line in box.splitlines()[1:]:
        text = line[2:].rstrip(" │|")
        if re.fullmatch(r"[─-]{3,}[╯+]?", text.strip()):
            sections.append([])
        elif not text.startswith(8 * " "):
            sections[-1] += text.split()
    said = [" ".join(section) for section in sections if section]
    complaint = said[0].removeprefix("Error parsing ").rstrip(".")
    for section in said[1:]:
        if "meant" in section:
            flags = re.findall(r"--[\w.-]*\w", section)
            complaint += f" (did you mean {' or '.join(flags)}?)"
    value = complaint.removeprefix("Unrecognized options: ")
    for flag, sign, given in (word.partition("=") for word in words):
        if sign and given == value:  # of a flag that it knows, tyro names the rest
            return f"{flag}: takes no value, found {given!r}: write {flag} alone"
    return complaint
