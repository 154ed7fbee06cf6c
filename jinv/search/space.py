"""Spaces that are searched: fields of a method's configuration, with their values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

from jinv.errors import ConfigError
from jinv.former import renewed_name
from jinv.inversion.settings import setting_from_text, setting_kind
from jinv.values import describe_kind, plain_kind


@dataclass(frozen=True)
class Span:
    """A field that takes any number from `low` to `high`.

    Attributes:
        name: Name of the field.
        low: Lowest value.
        high: Highest value.
        log: Whether values are drawn evenly by their logarithm.
        whole: Whether only whole numbers are taken.
    """

    name: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.low:.12g}..{self.high:.12g}" + ":log" * self.log

    def suggest(self, trial: Any, name: str) -> Any:
        """Let an Optuna trial choose; returns what Optuna notes under this name."""
        suggest = trial.suggest_int if self.whole else trial.suggest_float
        return suggest(name, self.low, self.high, log=self.log)

    def value(self, noted: Any) -> Any:
        """Turn what Optuna noted into the field's value."""
        return noted

    def note_of(self, value: Any) -> Any:
        """Turn a value into what Optuna would note; None where it is outside."""
        return value if self.low <= value <= self.high else None


@dataclass(frozen=True)
class Choice:
    """A field that takes one of some values.

    Attributes:
        name: Name of the field.
        options: Values by their text, which is what Optuna notes.
    """

    name: str
    options: Mapping[str, Any]

    def __str__(self) -> str:
        return ",".join(self.options)

    def suggest(self, trial: Any, name: str) -> str:
        """Let an Optuna trial choose; returns what Optuna notes under this name."""
        return trial.suggest_categorical(name, list(self.options))

    def value(self, noted: str) -> Any:
        """Turn what Optuna noted into the field's value."""
        return self.options[noted]

    def note_of(self, value: Any) -> str | None:
        """Turn a value into what Optuna would note; None where it is no option."""
        return next((text for text, v in self.options.items() if v == value), None)


@dataclass(frozen=True)
class Space:
    """Fields that are searched together.

    Attributes:
        fields: Fields, each once.
        noted: Noted names, by which Optuna knows some of them, other than their own.
    """

    fields: tuple[Span | Choice, ...]
    noted: Mapping[str, str] | None = None

    def noted_as(self, names: Mapping[str, str]) -> "Space":
        """Make the space of a study that notes some fields by former names."""
        return replace(self, noted=names)

    def describe(self) -> dict[str, str]:
        """List the values of each field, as they may be written on the command line."""
        return {field.name: str(field) for field in self.fields}

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Let an Optuna trial choose all values; returns the settings."""
        return {
            field.name: field.value(field.suggest(trial, self._noted(field)))
            for field in self.fields
        }

    def settings_of(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Turn an Optuna trial's parameters into settings."""
        return {
            field.name: field.value(params[self._noted(field)]) for field in self.fields
        }

    def params_of(self, method: Any) -> dict[str, Any] | None:
        """Turn a configuration into an Optuna trial's parameters; None if outside."""
        params = {
            self._noted(field): field.note_of(getattr(method, field.name))
            for field in self.fields
        }
        return None if None in params.values() else params

    @property
    def size(self) -> int:
        """Number of combinations of values.

        Raises:
            ConfigError: A field has endlessly many values.
        """
        return prod(len(choice.options) for choice in self._choices())

    def points(self) -> list[dict[str, str]]:
        """Yield every combination of values, as parameters of Optuna trials.

        Raises:
            ConfigError: A field has endlessly many values.
        """
        choices = self._choices()
        names = [self._noted(choice) for choice in choices]
        return [
            dict(zip(names, texts, strict=True))
            for texts in product(*(choice.options for choice in choices))
        ]

    def _noted(self, field: Span | Choice) -> str:
        return (self.noted or {}).get(field.name, field.name)

    def _choices(self) -> list[Choice]:
        spans = [field for field in self.fields if isinstance(field, Span)]
        for field in spans:
            raise ConfigError(
                f"a grid needs the values of each field, but {field.name}={field} is a "
                f"range; give e.g. {field.name}={field.low:g},{field.high:g}"
            )
        return [field for field in self.fields if isinstance(field, Choice)]


def parse_space(words: Sequence[str], method: type) -> Space:
    """Read a space from text.

    Args:
        words: Words `FIELD=LOW..HIGH`, `FIELD=LOW..HIGH:log` or `FIELD=VALUE,VALUE,…`;
            the elements of a list are parted by `/`.
        method: Dataclass whose fields they are.

    Raises:
        ConfigError: A field is unknown, or does not take such values.

    Example:
        >>> from jinv.inversion.deep import DeepInversion
        >>> space = parse_space(["lr=0.1..0.4", "steps=500/100,900"], DeepInversion)
        >>> space.fields[1].options
        {'500/100': (500, 100), '900': (900,)}
    """
    if not words:
        raise ConfigError("nothing to search: give FIELD=LOW..HIGH or FIELD=V1,V2,…")
    fields = [_field(word, method) for word in words]
    names = [field.name for field in fields]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"{twice[0]} is given twice")
    return Space(tuple(fields))


def _field(word: str, method: type) -> Span | Choice:
    name, equals, values = word.partition("=")
    name = renewed_name(name, "settings")
    if not (equals and values):
        raise ConfigError(
            f"{word!r}: expected FIELD=LOW..HIGH[:log] or FIELD=VALUE,VALUE,…"
        )
    kind = setting_kind(method, name)
    low, dots, high = values.partition("..")
    if not dots:
        texts = values.split(",")
        options = {text: setting_from_text(method, name, text) for text in texts}
        if len(set(options.values())) < len(texts):
            raise ConfigError(f"{word!r}: a value is given twice")
        return Choice(name, options)
    if plain_kind(kind) not in (int, float):
        raise ConfigError(
            f"{word!r}: no range, as {name} takes {describe_kind(kind)}; part its "
            "values by commas"
        )
    high, colon, scale = high.partition(":")
    if colon and scale != "log":
        raise ConfigError(f"{word!r}: expected :log or nothing after the range")
    ends = [setting_from_text(method, name, text) for text in (low, high)]
    if not ends[0] < ends[1]:
        raise ConfigError(f"{word!r}: expected a lower and a higher end")
    if colon and ends[0] <= 0:
        raise ConfigError(f"{word!r}: a logarithmic range must begin above 0")
    return Span(name, *ends, log=bool(colon), whole=plain_kind(kind) is int)
