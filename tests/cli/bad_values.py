"""Values that no option can take, by what it takes: what people type by mistake."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import tyro

from jinv.values import Range

_SUPPRESSED = ("before", "fraction_given")


def options_of(default: Any) -> Iterator[tuple[str, Any]]:
    """Every option of a command and its annotation, those inside others too.

    Args:
        default: An instance of the command's dataclass.
    """
    hints = get_type_hints(type(default), include_extras=True)
    for each in fields(default):
        value = getattr(default, each.name)
        if is_dataclass(value):
            # Options of what is marked are called as if they were the command's own.
            marked = hasattr(hints[each.name], "__metadata__")
            prefix = "" if marked else f"{each.name}."
            yield from ((prefix + name, kind) for name, kind in options_of(value))
        elif each.name not in _SUPPRESSED:
            yield each.name, hints[each.name]


def bad_values(kind: Any) -> list[list[str]]:
    """Words after an option that it cannot take; none where any text may be right."""
    kind, ranges = _plain(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return [["nonsense"], [""]]
    if origin is tuple and _plain(arguments[0])[0] in (int, float):
        return [["x"], ["nan"], []]
    if origin is tuple:
        return [["1"], ["x", "y"]] if get_origin(arguments[0]) is tuple else []
    if kind is int:
        return [["x"], ["1.5"], ["-1" if _refuses(ranges, -1) else "9" * 20]]
    if kind is float:
        return [["nan"], ["inf"], ["x"], *([["-1"]] if _refuses(ranges, -1) else [])]
    if kind is bool:
        return [["=maybe"], ["=2"]]
    return []


def _plain(kind: Any) -> tuple[Any, list[Range]]:
    """An annotation without notes and None, and the ranges noted."""
    ranges = []
    while get_origin(kind) in (Annotated, Union, UnionType):
        if get_origin(kind) is Annotated:
            kind, *notes = get_args(kind)
            ranges += [note for note in notes if isinstance(note, Range)]
        else:
            kind = next(part for part in get_args(kind) if part is not type(None))
    return kind, ranges


def _refuses(ranges: list[Range], number: float) -> bool:
    return any(number not in numbers for numbers in ranges)


def is_text(kind: Any) -> bool:
    """Whether an option takes text or paths, of which only each itself knows which."""
    kind, _ = _plain(kind)
    if get_origin(kind) is tuple:
        return _plain(get_args(kind)[0])[0] in (str, Path)
    return kind in (str, Path)


MISSING = tyro.MISSING
