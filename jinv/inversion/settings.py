"""A method's settings as text and as JSON: what each field takes, and reading it."""

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from jinv.errors import ConfigError
from jinv.inversion.method import Method
from jinv.suggest import near

Config = TypeVar("Config", bound=Method)


def with_given(method: Config, given: Mapping[str, Any]) -> Config:
    """A configuration with some settings replaced, and others that follow from them.

    What nobody gave must not stand in the way of what somebody did: settings that are
    tied to the given ones, and not given themselves, are made to fit, as
    `Method.follow` says. Where nothing tied is given, all stay as they were; given
    settings that contradict each other are left for `Method.procedure` to refuse.

    Args:
        method: The configuration, e.g. a preset's.
        given: Settings by name.

    Raises:
        ConfigError: There is no such setting; near matches are offered.

    Example:
        >>> from jinv.inversion.deep import DeepInversion
        >>> with_given(DeepInversion((600,), warmup=20), {"steps": (10,)}).warmup
        5
    """
    for name in given:
        setting_kind(type(method), name)  # checks the name
    return replace(method, **given).follow(frozenset(given))


def setting_kind(method: type, name: str) -> Any:
    """The type of one field of a method's configuration.

    Raises:
        ConfigError: There is no such field; near matches are offered.
    """
    kinds = get_type_hints(method)
    if name not in kinds:
        raise ConfigError(
            f"unknown setting {name!r}{near(name, kinds)}; there are {', '.join(kinds)}"
        )
    return kinds[name]


def setting_from_json(method: type, name: str, value: Any) -> Any:
    """A field's value from what JSON holds.

    Raises:
        ConfigError: There is no such field, or it does not take this value.

    Example:
        >>> from jinv.inversion.deep import DeepInversion
        >>> setting_from_json(DeepInversion, "steps", [500, 100])
        (500, 100)
    """
    kind = setting_kind(method, name)
    try:
        return _convert(kind, value)
    except ValueError:
        raise ConfigError(
            f"{name}: expected {describe_kind(kind)}, found {value!r}"
        ) from None


def setting_from_text(method: type, name: str, text: str) -> Any:
    """A field's value from text; the elements of a list are parted by `/`.

    Raises:
        ConfigError: There is no such field, or it does not take this value.

    Example:
        >>> from jinv.inversion.deep import DeepInversion
        >>> setting_from_text(DeepInversion, "steps", "500/100")
        (500, 100)
    """
    kind = setting_kind(method, name)
    try:
        if get_origin(kind) is tuple:
            return _convert(kind, [_scalar(part) for part in text.split("/")])
        return _convert(kind, text if get_origin(kind) is Literal else _scalar(text))
    except ValueError:
        raise ConfigError(
            f"{name}: expected {describe_kind(kind)}, found {text!r}"
        ) from None


def describe_kind(kind: Any) -> str:
    """What a field takes, in words.

    Example:
        >>> describe_kind(tuple[int, ...])
        'whole numbers with / between them'
    """
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return " or ".join(map(str, arguments))
    if get_origin(kind) is tuple:
        many = "" if arguments[-1] is Ellipsis else f"{len(arguments)} "
        whole = "whole " if arguments[0] is int else ""
        return f"{many}{whole}numbers with / between them"
    return _WORDS[kind]


_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
}


def _convert(kind: Any, value: Any) -> Any:
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        if value in arguments:
            return value
    elif get_origin(kind) is tuple:
        if isinstance(value, list | tuple):
            endless = arguments[-1] is Ellipsis
            kinds = [arguments[0]] * len(value) if endless else arguments
            return tuple(_convert(k, v) for k, v in zip(kinds, value, strict=True))
    elif kind is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and isfinite(value):
            return float(value)
    elif type(value) is kind:
        return value
    raise ValueError(value)


def _scalar(text: str) -> bool | int | float:
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        return float(text)
