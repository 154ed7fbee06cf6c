"""Values, and what they may be, as annotations say it.

A type says what is expected, and `Range` which of its numbers.

>>> converted(Positive, float("inf"), "lr")
Traceback (most recent call last):
jinv.errors.ValueRefused: lr: expected a number over 0, found inf
"""

import os
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
)

from jinv.errors import ValueRefused
from jinv.suggest import near


@dataclass(frozen=True)
class Range:
    """A range of numbers that a value may have; all of them are finite.

    Attributes:
        least: Lowest number.
        most: Highest number.
        over: Number that all are over, instead.
        below: Number that all are below, instead.
    """

    least: float = -inf
    most: float = inf
    over: float = -inf
    below: float = inf

    def __contains__(self, number: float) -> bool:
        return (
            self.least <= number <= self.most
            and (number > self.over or self.over == -inf)
            and (number < self.below or self.below == inf)
        )

    def __str__(self) -> str:
        """Tell the range in words, which follow the noun that they are said of."""
        high = f"below {self.below:g}" if self.below < inf else ""
        high = f"up to {self.most:,}" if self.most < inf else high
        if self.least > -inf:
            low = f"from {self.least:g}"
            return f"{low} to {high.removeprefix('up to ')}" if high else low
        low = f"over {self.over:g}" if self.over > -inf else ""
        return " and ".join(filter(None, (low, high)))


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 2, 60, 60
_LARGEST = 2**31 - 1
"""Greatest count: positions are 32-bit integers on devices."""

Positive = Annotated[float, Range(over=0)]
NotNegative = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]
ShareBelow1 = Annotated[float, Range(0, below=1)]
Count = Annotated[int, Range(1, _LARGEST)]
Natural = Annotated[int, Range(0, _LARGEST)]
Seed = Annotated[int, Range(0, 2**32 - 1)]
"""jax's generators take 32 bits; of more, they would drop some without a word."""


def converted(kind: Any, value: Any, name: str) -> Any:
    """Convert a value to what its annotation says.

    Args:
        kind: Kind by annotation: numbers, text, `Path`, `Literal`, tuples, sequences,
            mappings, unions and classes are checked; anything else is taken as it is.
        value: Value of Python or of JSON.
        name: Name in the message.

    Raises:
        ConfigError: The value is something else.

    Example:
        >>> converted(tuple[Count, ...], [500, 100], "steps")
        (500, 100)
    """
    try:
        return _convert(kind, value)
    except _Unfit:
        expected = f"{name}: expected {describe_kind(kind)}"
        raise ValueRefused(expected, shown(value) + _meant(kind, value)) from None


def _meant(kind: Any, value: Any) -> str:
    """Choices that are near to a text."""
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    return near(value, map(str, choices)) if isinstance(value, str) else ""


def plain_kind(kind: Any) -> Any:
    """Take the range off an annotation."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def describe_kind(kind: Any) -> str:
    """Tell in words what an annotation takes.

    Example:
        >>> describe_kind(tuple[int, ...])
        'a list of whole numbers'
        >>> describe_kind(Seed | None)
        'a whole number from 0 to 4,294,967,295, or None'
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        ranges = [str(note) for note in arguments[1:] if isinstance(note, Range)]
        return " ".join([describe_kind(arguments[0]), *ranges])
    if origin is Literal:
        return " or ".join(map(str, arguments))
    if origin is tuple:
        return _describe_tuple(arguments)
    if origin in (Union, UnionType):
        return ", or ".join(map(describe_kind, arguments))
    if origin is Sequence:
        return _describe_tuple((arguments[0], ...))
    if origin is Mapping:
        key, each = arguments
        of = "" if each is Any else f", each of {describe_kind(each)}"
        return f"a mapping by {describe_kind(key)}{of}"
    return _WORDS.get(kind) or f"a {getattr(origin or kind, '__name__', kind)}"


_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    NoneType: "None",
}


def _describe_tuple(arguments: tuple) -> str:
    first, endless = describe_kind(arguments[0]), arguments[-1] is Ellipsis
    if get_origin(arguments[0]) is tuple:
        return f"a list, each of {first}"
    many = first.removeprefix("a ").replace("number", "numbers", 1)
    return f"a list of {many}" if endless else f"{len(arguments)} {many}"


class _Unfit(Exception):
    """A value is not of a kind."""


def _convert(kind: Any, value: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        found = _convert(arguments[0], value)
        ranges = [note for note in arguments[1:] if isinstance(note, Range)]
        return _only(found, all(found in numbers for numbers in ranges))
    if origin in (Union, UnionType):
        return _first_fitting(arguments, value)
    if origin is Literal:
        return _only(value, isinstance(value, str | int) and value in arguments)
    if origin is tuple:
        return _convert_tuple(arguments, value)
    if origin is Sequence:
        _only(value, _is_list(value))
        return [_convert(arguments[0], each) for each in value]
    if origin is Mapping:
        _only(value, isinstance(value, Mapping))
        key, each = arguments
        return {_convert(key, k): _convert(each, v) for k, v in value.items()}
    if kind in _CONVERSIONS:
        return _CONVERSIONS[kind](value)
    wanted = origin or kind
    if (
        kind is not Any
        and isinstance(wanted, type)
        and not getattr(wanted, "_is_protocol", False)
    ):
        return _only(value, isinstance(value, wanted))
    return value


def _convert_tuple(arguments: tuple, value: Any) -> tuple:
    _only(value, _is_list(value))
    endless = arguments[-1] is Ellipsis
    kinds = [arguments[0]] * len(value) if endless else arguments
    _only(value, len(kinds) == len(value))
    return tuple(_convert(k, v) for k, v in zip(kinds, value, strict=True))


def _first_fitting(kinds: tuple, value: Any) -> Any:
    for kind in kinds:
        try:
            return _convert(kind, value)
        except _Unfit:
            continue
    raise _Unfit


def _is_list(value: Any) -> bool:
    """Whether a value has an order and elements: text has none of ours."""
    array = hasattr(value, "ndim") and value.ndim == 1
    return array or (isinstance(value, Sequence) and not isinstance(value, str | bytes))


def _only(value: Any, fits: bool) -> Any:
    if not fits:
        raise _Unfit
    return value


def _plain(value: Any) -> Any:
    """A number of NumPy or JAX as Python's own; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _bool(value: Any) -> bool:
    value = _plain(value)
    return _only(value, isinstance(value, bool))


def _int(value: Any) -> int:
    value = _plain(value)
    return int(
        _only(value, isinstance(value, Integral) and not isinstance(value, bool))
    )


def _float(value: Any) -> float:
    value = _plain(value)
    number = isinstance(value, Real) and not isinstance(value, bool)
    try:
        return float(_only(value, number and isfinite(value)))
    except OverflowError:  # an integer too large for a float
        raise _Unfit from None


def _str(value: Any) -> str:
    return str(_only(value, isinstance(value, str)))


def _path(value: Any) -> Path:
    _only(value, isinstance(value, str | os.PathLike))
    return Path(value).expanduser()


def _none(value: Any) -> None:
    return _only(value, value is None)


_CONVERSIONS: Mapping[Any, Callable[[Any], Any]] = {
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    Path: _path,
    NoneType: _none,
    None: _none,
}


def shown(value: Any) -> str:
    """Write a value for a message: short, on one line, no whole array or tree."""
    if hasattr(value, "shape") and getattr(value, "ndim", 0):
        return f"an array of shape {tuple(value.shape)}"
    return " ".join(_SHORT.repr(value).split())
