"""A method's settings as text and as JSON: what each field takes, and reading it."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import fields, replace
from inspect import get_annotations
from typing import Any, TypeVar, get_origin, get_type_hints

from jinv.errors import ConfigError, ValueRefused
from jinv.former import renewed
from jinv.inversion.method import Method
from jinv.models.classifier import Classifier
from jinv.suggest import check_known
from jinv.values import converted

Config = TypeVar("Config", bound=Method)


def with_given(method: Config, given: Mapping[str, Any]) -> Config:
    """Replace some settings of a method, and others that follow from them.

    What nobody gave must not stand in the way of what somebody did: settings that are
    tied to the given ones, and not given themselves, are made to fit, as
    `Method.follow` says. Where nothing tied is given, all stay as they were; given
    settings that contradict each other are left for `Method.procedure` to refuse.

    Args:
        method: Settings to start from, e.g. a preset's.
        given: Settings to replace, by name; former names are understood.

    Raises:
        ConfigError: There is no such setting; near matches are offered.

    Example:
        >>> from jinv.inversion.deep import DeepInversion
        >>> with_given(DeepInversion(steps=(600,), warmup=20), {"steps": (10,)}).warmup
        5
    """
    given = renewed(given, "settings")
    for name in given:
        setting_kind(type(method), name)  # checks the name
    return replace(method, **given).follow(in_place(method, given))


def in_place(settings: Any, given: Iterable[str]) -> dict[str, Any]:
    """Tell what stands where settings are given; other names are left out."""
    names = {field.name for field in fields(settings)}
    return {name: getattr(settings, name) for name in names.intersection(given)}


def at_sizes(method: Any, classifier: Classifier, given: Container[str]) -> Any:
    """Make a method's resolutions those that a classifier takes: else its own alone.

    Args:
        method: Settings of the method.
        classifier: Classifier; with dense layers over positions it takes one size only.
        given: Names of the settings that somebody gave.

    Raises:
        ConfigError: Resolutions were given that the classifier does not take.
    """
    sizes = getattr(method, "resolutions", ())
    least = min(sizes, default=classifier.spec.input_size)
    if classifier.takes(least):
        return method
    if "resolutions" in given:
        raise ConfigError(
            f"resolutions: {classifier.spec.name} takes no inputs of {least}x{least} "
            f"pixels, only of its own {classifier.spec.input_size}"
        )
    return with_given(method, {"resolutions": ()})


def setting_kind(method: type, name: str) -> Any:
    """Look up the annotation of one field of a method's settings.

    Raises:
        ConfigError: There is no such field; near matches are offered.
    """
    found = get_type_hints(method, include_extras=True)
    # The method's own first, then those that it has in common with others.
    order = (own for kind in method.__mro__ for own in get_annotations(kind))
    kinds = {own: found[own] for own in order if own in found}
    check_known("setting", name, kinds)
    return kinds[name]


def setting_from_json(method: type, name: str, value: Any) -> Any:
    """Make a field's value of what JSON holds.

    Raises:
        ConfigError: There is no such field, or it does not take this value.

    Example:
        >>> from jinv.inversion.deep import DeepInversion
        >>> setting_from_json(DeepInversion, "steps", [500, 100])
        (500, 100)
    """
    return converted(setting_kind(method, name), value, name)


def setting_from_text(method: type, name: str, text: str) -> Any:
    """Read a field's value from text; the elements of a list are parted by `/`.

    Raises:
        ConfigError: There is no such field, or it does not take this value.

    Example:
        >>> from jinv.inversion.deep import DeepInversion
        >>> setting_from_text(DeepInversion, "steps", "500/100")
        (500, 100)
    """
    kind = setting_kind(method, name)
    value = _list(text) if get_origin(kind) is tuple else _scalar(text)
    try:
        return converted(kind, value, name)
    except ValueRefused as error:
        between = " with / between them" * (get_origin(kind) is tuple)
        raise ValueRefused(f"{error.expected}{between}", repr(text)) from None


def _list(text: str) -> list[bool | int | float | str]:
    return [_scalar(part) for part in text.split("/")]


def _scalar(text: str) -> bool | int | float | str:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
