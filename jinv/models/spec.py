"""Specifications of classifiers: what is known before any weights are read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from unicodedata import normalize

import flax.linen as nn
from flax.core import FrozenDict

from jinv.errors import ConfigError
from jinv.values import Count, converted, shown

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_LONGEST_NAME = 120
"""Letters of the name of a class, or of a network: both name files."""


@dataclass(frozen=True)
class Download:
    """A file of weights that somebody else publishes.

    Attributes:
        url: Address of the file.
        sha256: Checksum in hexadecimal; where its publisher gives only the first
            digits, those; empty where it is not known.
        licence: Licence of the file.
    """

    url: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class Packaged:
    """A file of weights inside an installed Python package.

    Attributes:
        package: Import name of the package, which is found but never imported.
        file: Path of the file inside the package.
        extra: Extra of jinv that installs the package.
        licence: Licence of the file.
    """

    package: str
    file: str
    extra: str
    licence: str


@dataclass(frozen=True)
class ClassifierSpec:
    """What a classifier is, before any weights are read.

    Attributes:
        name: Name of the classifier in the zoo.
        build: Function that makes the Flax module, of `num_classes`, `dtype`, `remat`.
        classes: Class names in the order of the logits.
        input_size: Height and width of the inputs, in pixels.
        mean: Mean subtracted from images in [0, 1], per channel; as many as there are
            channels, 3 of colour or 1 of grey.
        std: Deviation by which the difference is divided, per channel.
        accuracy: Top-1 accuracy in percent, published or measured, and on what.
        source: Source of its weights, if there is any.
        aliases: Prefixes of keys in checkpoints → prefixes of ours.
        ignored: Prefixes of keys in checkpoints that are not needed.
        batch_norm: Whether it has BatchNorm layers, whose statistics can be compared.
        narrowed: Channels of layers that put out fewer than the architecture says, by
            the layers' names.
    """

    name: str
    build: Callable[..., nn.Module]
    classes: tuple[str, ...]
    input_size: int
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    accuracy: str = ""
    source: Download | Packaged | None = None
    aliases: dict[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    batch_norm: bool = True
    narrowed: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the facts that people may give; see `Facts`.

        Raises:
            ConfigError: A fact cannot be true of any network, or the name cannot be
                that of a file.
        """
        _check_name(self.name)
        try:
            names = class_names(self.classes)
            for name in ("mean", "std"):
                _check_channels(name, getattr(self, name))
            if not len(self.mean) == len(self.std) in (1, 3):
                raise ConfigError(
                    f"mean has {len(self.mean)} value(s) and std {len(self.std)}: "
                    "expected one of each per channel, 3 for images of colour or 1 for "
                    "grey ones"
                )
            converted(Count, self.input_size, "input_size")
        except ConfigError as error:
            raise ConfigError(f"{self.name}: {error}") from None
        object.__setattr__(self, "classes", names)

    @property
    def channels(self) -> int:
        """Number of channels of the inputs: 3 of colour, or 1 of grey."""
        return len(self.mean)

    @property
    def small(self) -> bool:
        """Whether inputs are small (CIFAR's) rather than large (ImageNet's)."""
        return self.input_size <= 64

    def make_module(self, **options: Any) -> nn.Module:
        """Make the classifier's Flax module; options are `dtype` and `remat`.

        Raises:
            ConfigError: It is narrowed, and its architecture cannot be.
        """
        classes = len(self.classes)
        if not self.narrowed:
            return self.build(num_classes=classes, **options)
        module = self.build(num_classes=classes, **options)
        if not hasattr(module, "narrowed"):
            raise ConfigError(
                f"{self.name} cannot be narrowed, as these weights say that it is: "
                "choose the model that they belong to"
            )
        return module.clone(narrowed=FrozenDict(self.narrowed))


def _check_name(name: Any) -> None:
    """Refuse a name that weights beside `config.json` cannot have."""
    plain = isinstance(name, str) and name.isprintable() and not set(name) & set("/\\")
    if (
        not plain
        or not 0 < len(name) <= _LONGEST_NAME
        or name.startswith(".")
        or name.casefold() == "config"
    ):
        raise ConfigError(
            "name: expected one that a file can have, not config, of up to "
            f"{_LONGEST_NAME} letters, found {shown(name)}"
        )


def class_names(given: Any) -> tuple[str, ...]:
    """Names of classes, without blanks around them, composed as Unicode has it (NFC).

    They are keys: of labels, of files and of folders.

    Args:
        given: Names in the order of the logits.

    Raises:
        ConfigError: They are no list of at least two different names that can be
            printed.

    Example:
        >>> class_names(["day", " night"])
        ('day', 'night')
    """
    found = [] if isinstance(given, str | bytes) else given
    found = list(found) if isinstance(found, Sequence) else []
    if not found or not all(isinstance(name, str) for name in found):
        raise ConfigError(
            f"classes: expected their names, e.g. ['day', 'night'] (or [f'class {{i}}' "
            f"for i in range(10)]), found {shown(given)}"
        )
    names = tuple(normalize("NFC", name.strip()) for name in found)
    if len(names) < 2:
        raise ConfigError(
            f"classes: expected at least 2 names, found {len(names)}: a network of one "
            "logit tells no classes apart"
        )
    known: dict[str, int] = {}
    for index, name in enumerate(names):
        if not name or not name.isprintable() or len(name) > _LONGEST_NAME:
            raise ConfigError(
                f"the name of class {index} is {shown(found[index])}: expected 1 to "
                f"{_LONGEST_NAME} letters that can be printed"
            )
        if name in known:
            raise ConfigError(
                f"classes {known[name]} and {index} are both called {name!r}: expected "
                "different names"
            )
        known[name] = index
    return names


def _check_channels(name: str, values: Any) -> None:
    converted(tuple[float, ...], values, name)
    largest, least = max(values, default=0.0), min(values, default=0.0)
    if largest > 1:
        raise ConfigError(
            f"{name}: expected numbers for images in 0..1, found {shown(values)}: "
            "where they are for images in 0..255, divide them by 255"
        )
    if least < 0 or (name == "std" and least == 0):
        raise ConfigError(
            f"{name}: expected numbers {'over 0' if name == 'std' else 'from 0'} to 1, "
            f"found {shown(values)}"
        )
