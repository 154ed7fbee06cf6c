"""Facts that a network's owner knows, and its architecture does not tell."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from jinv.json_text import parse_json
from jinv.models.spec import ClassifierSpec

ENTRY = "jinv"
"""Entry of a file's metadata where facts lie as JSON: of several entries, the order in
the file would be left to chance."""
HIDDEN_ENTRY = "jinv.supermask"
"""Entry of a hidden network's metadata, which tells more."""


@dataclass(frozen=True)
class Facts:
    """Facts of one network that may differ from the zoo's; None where nobody told.

    They lie in the metadata of our own .safetensors files, in a companion file
    FILE.json beside anybody's weights, or are given.

    Attributes:
        classes: Names of the classes, in the order of the logits.
        input_size: Height and width of the inputs, in pixels.
        mean: Mean subtracted from images in [0, 1], per channel.
        std: Deviation by which the difference is divided, per channel.
        narrowed: Channels of layers that put out fewer than in the zoo, by their names.
    """

    classes: tuple[str, ...] | None = None
    input_size: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    narrowed: dict[str, int] | None = None

    @classmethod
    def of(cls, spec: ClassifierSpec) -> Self:
        """The facts of a specification."""
        narrowed = spec.narrowed or None
        return cls(spec.classes, spec.input_size, spec.mean, spec.std, narrowed)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """Read facts from what a companion file holds, whatever else is in it.

        Raises:
            ValueError: A fact is not of its form; the message says which.
        """
        return cls(
            classes=_list(found, "classes", str),
            input_size=_whole(found, "input_size"),
            mean=_list(found, "mean", float),
            std=_list(found, "std", float),
            narrowed=_narrowed(found),
        )

    @classmethod
    def from_metadata(cls, found: Mapping[str, str]) -> Self:
        """Read what one of our own .safetensors files says of itself, if anything.

        Raises:
            ValueError: A fact is not of its form.
        """
        described = parse_json(found.get(ENTRY) or found.get(HIDDEN_ENTRY) or "{}")
        facts = described.get("facts", described)
        return cls.from_json(facts if isinstance(facts, dict) else {})

    def to_json(self) -> dict[str, Any]:
        """The facts that are known, as JSON."""
        return {n: value for n, value in asdict(self).items() if value is not None}

    def otherwise(self, other: Self) -> Self:
        """Add facts of another source where nobody told these."""
        return replace(other, **self.to_json())

    def beyond(self, usual: Self) -> Self:
        """Keep the facts that differ from the usual ones."""
        known, others = asdict(self), asdict(usual)
        return type(self)(**{n: v for n, v in known.items() if v != others[n]})

    def applied(self, spec: ClassifierSpec) -> ClassifierSpec:
        """Make a specification with these facts instead of its own.

        Raises:
            ConfigError: They cannot be true of any network.
        """
        return replace(spec, **self.to_json())


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


def _narrowed(found: Mapping[str, Any]) -> dict[str, int] | None:
    value = found.get("narrowed")
    if not value:
        return None
    if not isinstance(value, dict) or not all(
        type(width) is int and width > 0 for width in value.values()
    ):
        raise ValueError(
            f"narrowed: expected channels by layers, found {str(value)[:80]!r}"
        )
    return {str(layer): width for layer, width in value.items()}
