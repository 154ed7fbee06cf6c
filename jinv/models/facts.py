"""What a network's owner knows of it, and its architecture does not tell."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from jinv.models.zoo import ClassifierSpec


@dataclass(frozen=True)
class Facts:
    """Facts of one network that may differ from the zoo's; None where nobody told.

    They lie in the metadata of our own .safetensors files, in a companion file
    FILE.json beside anybody's weights, or are given.

    Attributes:
        classes: Names in the order of the logits.
        input_size: Height and width of the inputs, in pixels.
        mean: Subtracted from images in [0, 1], per channel.
        std: By which the difference is divided, per channel.
    """

    classes: tuple[str, ...] | None = None
    input_size: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @classmethod
    def of(cls, spec: ClassifierSpec) -> Self:
        """The facts of a specification."""
        return cls(spec.classes, spec.input_size, spec.mean, spec.std)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """What a companion file tells, whatever else is in it.

        Raises:
            ValueError: A fact is not of its form; the message says which.
        """
        return cls(
            classes=_list(found, "classes", str),
            input_size=_whole(found, "input_size"),
            mean=_list(found, "mean", float),
            std=_list(found, "std", float),
        )

    @classmethod
    def from_metadata(cls, found: Mapping[str, str]) -> Self:
        """What `to_metadata` wrote.

        Raises:
            ValueError: A fact is not of its form.
        """
        names = {field.name for field in fields(cls)}
        return cls.from_json(
            {name: json.loads(text) for name, text in found.items() if name in names}
        )

    def to_metadata(self) -> dict[str, str]:
        """The facts that are known, as texts of JSON."""
        known = {n: value for n, value in asdict(self).items() if value is not None}
        return {name: json.dumps(value) for name, value in known.items()}

    def otherwise(self, other: Self) -> Self:
        """These facts, and where nobody told them, those of another source."""
        mine = {n: value for n, value in asdict(self).items() if value is not None}
        return replace(other, **mine)

    def applied(self, spec: ClassifierSpec) -> ClassifierSpec:
        """A specification with these facts instead of its own.

        Raises:
            ConfigError: They cannot be true of any network.
        """
        return replace(spec, **{n: v for n, v in asdict(self).items() if v is not None})


def _list(found: Mapping[str, Any], name: str, kind: type) -> tuple | None:
    value = found.get(name)
    if value is None:
        return None
    parts = value if isinstance(value, list | tuple) else [value]
    numbers = int | float if kind is float else kind
    if not all(isinstance(v, numbers) and not isinstance(v, bool) for v in parts):
        raise ValueError(f"{name}: expected a list, found {str(value)[:80]!r}")
    return tuple(kind(part) for part in parts)


def _whole(found: Mapping[str, Any], name: str) -> int | None:
    value = found.get(name)
    if value is not None and type(value) is not int:
        raise ValueError(f"{name}: expected pixels, found {str(value)[:80]!r}")
    return value
