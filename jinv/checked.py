"""Values are checked once, where they enter: fields, arguments and options.

>>> from dataclasses import dataclass
>>> from jinv.values import Positive
>>> @dataclass(frozen=True)
... class Config(Checked):
...     lr: Positive = 0.1
>>> Config(lr=float("inf"))
Traceback (most recent call last):
jinv.errors.ValueRefused: lr: expected a number over 0, found inf
"""

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar, get_type_hints

from jinv.errors import ConfigError, ValueRefused
from jinv.values import converted

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


class Checked:
    """A dataclass whose fields are checked when it is made.

    What only looks different is made alike: lists become tuples, NumPy's numbers
    Python's, and texts paths.
    """

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ConfigError: A field is not what its annotation says.
        """
        for name, kind in _kinds(type(self)).items():
            value = getattr(self, name)
            try:
                found = converted(kind, value, name)
            except ValueRefused as error:
                error.owner = type(self)
                raise
            if found is not value:
                object.__setattr__(self, name, found)


def checked(function: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """Check the arguments of a function by its annotations, as `Checked` does fields.

    Raises:
        ConfigError: An argument is missing, unknown, or not what its annotation says.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Returned:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ConfigError(
                f"{function.__name__}(): {error}; it takes {_taken(signature)}"
            ) from None
        kinds = _kinds(function)
        for name, value in bound.arguments.items():
            plain = signature.parameters[name].kind is not inspect.Parameter.VAR_KEYWORD
            if plain and name in kinds:
                bound.arguments[name] = converted(kinds[name], value, name)
        return function(*bound.args, **bound.kwargs)

    return call


def check_all(options: Any) -> None:
    """Check every field of a dataclass that is not `Checked`, and of those inside it.

    Raises:
        ConfigError: A field is not what its annotation says.
    """
    kinds = _kinds(type(options))
    for each in fields(options):
        value = getattr(options, each.name)
        if is_dataclass(value):
            check_all(value)
        else:
            converted(kinds[each.name], value, each.name)


@cache
def _kinds(annotated: Any) -> dict[str, Any]:
    return get_type_hints(annotated, include_extras=True)


def _taken(signature: inspect.Signature) -> str:
    return ", ".join(
        f"**{name}" if each.kind is inspect.Parameter.VAR_KEYWORD else name
        for name, each in signature.parameters.items()
    )
