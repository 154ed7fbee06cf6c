"""The methods by the names that people choose."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from jinv.errors import ConfigError
from jinv.inversion.dafl import DAFL
from jinv.inversion.deep import DeepInversion
from jinv.inversion.dfad import DFAD
from jinv.inversion.fast import FastGenerators
from jinv.inversion.method import Method
from jinv.inversion.natural import NaturalInversion
from jinv.models.spec import ClassifierSpec
from jinv.suggest import near


@dataclass(frozen=True)
class MethodInfo:
    """A method as it may be chosen.

    Attributes:
        kind: Class of its settings, by whose name files know the method.
        preset: Tells the name of the preset for a classifier when none is asked for.
    """

    kind: type[Method]
    preset: Callable[[ClassifierSpec], str]


def _deep(spec: ClassifierSpec) -> str:
    if not spec.batch_norm:
        return "deepdream"
    return "default" if spec.small else "default-imagenet"


METHODS = {
    "deep": MethodInfo(DeepInversion, _deep),
    "natural": MethodInfo(NaturalInversion, lambda _: "natural"),
    "fast": MethodInfo(FastGenerators, lambda _: "fast"),
    "dafl": MethodInfo(DAFL, lambda _: "dafl"),
    "dfad": MethodInfo(DFAD, lambda _: "dfad"),
}
"""All methods, by what `--method` takes; the first is that of those who do not say."""


def find_method(name: str) -> MethodInfo:
    """Look a method up by its name.

    Raises:
        ConfigError: There is none of this name; near matches are offered.
    """
    if name not in METHODS:
        raise _unknown(name, list(METHODS))
    return METHODS[name]


def find_kind(title: Any, known: Iterable[type[Method]] = ()) -> type[Method]:
    """Look up the settings that files know by a name, e.g. "DeepInversion".

    Args:
        title: Name.
        known: Kinds of settings that it may be of; by default those of all methods.

    Raises:
        ConfigError: There is none of this name; near matches are offered.
    """
    known = tuple(known) or tuple(info.kind for info in METHODS.values())
    kinds = {kind.__name__: kind for kind in known}
    if not isinstance(title, str) or title not in kinds:
        raise _unknown(title, list(kinds))
    return kinds[title]


def method_name(method: Method) -> str:
    """Name of a configuration's method, as `--method` takes it."""
    return next(n for n, info in METHODS.items() if info.kind is type(method))


def _unknown(name: Any, known: list[str]) -> ConfigError:
    return ConfigError(
        f"unknown method {name!r}{near(str(name), known)}; there "
        f"{'is' if len(known) == 1 else 'are'} {', '.join(known)}"
    )
