"""What a method's settings have in common: flat to people, numbers apart from form."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Self, get_args, get_type_hints

import jax

from jinv.checked import Checked
from jinv.engine.phase import (
    Descent,
    Evaluation,
    Keep,
    LearningRate,
    MakeOptimizers,
    Procedure,
    StatisticsScope,
)
from jinv.models.classifier import Classifier
from jinv.values import Count, Natural, NotNegative, Positive

_NUMBER, _PIXELS = "data of a program", "a length in pixels"

Weight = Annotated[NotNegative, _NUMBER]
"""A loss weight: data of the compiled programs, which all its values share; 0 leaves
the term out."""
Rate = Annotated[Positive, _NUMBER]
"""A learning rate: data of the compiled programs, as a `Weight` is."""
Length = Annotated[Natural, _PIXELS]
"""A length in pixels, which grows with the inputs of a classifier."""
Side = Annotated[Count, _PIXELS]
"""A height and width in pixels, which grows with the inputs of a classifier."""


@dataclass(frozen=True, kw_only=True)
class Method(Checked, ABC):
    """Settings of a method, of which `procedure` makes its parts.

    Attributes:
        patience: A phase ends after this share of its steps without improvement of
            the loss, which is compared every 25 steps; 0 never.
        w_prior: Weight of each learned prior that is given without one.
        bn_scope: Statistics of the whole batch ("global") or of each device's part.
    """

    patience: NotNegative = 0.0
    w_prior: Weight = 0.01
    bn_scope: StatisticsScope = "global"

    @abstractmethod
    def procedure(self, classifier: Classifier) -> Procedure:
        """Say what the engine is to do: image, view, wanted and descent of each phase.

        That depends on the form of the settings alone: weights and rates are data,
        which terms and optimisers find under the names of their settings.

        Raises:
            ConfigError: A setting cannot work, alone or with this classifier.
        """

    def joined(self, e: Evaluation, values: jax.Array) -> jax.Array:
        """Make one loss of one for each image (batch,): by default their mean.

        A method whose images each go down their own says so here.
        """
        return e.batch_mean(values)

    def extent(self, classifier: Classifier) -> tuple[int, int]:
        """Height and width of the images that are made, in pixels."""
        return classifier.spec.input_size, classifier.spec.input_size

    def descent(
        self,
        steps: int,
        optimizers: MakeOptimizers,
        learning_rate: LearningRate,
        keep: Keep = "last",
    ) -> Descent:
        """How the parameters of a phase go down, with the patience of the settings."""
        return Descent(
            steps, optimizers, learning_rate, self.patience, self.bn_scope, keep
        )

    def follow(self, before: Mapping[str, Any]) -> Self:
        """Make what nobody gave fit what somebody gave.

        Args:
            before: What stood where settings were given, by their names. The given
                ones stay as they are.
        """
        del before
        return self

    def scaled(self, factor: float) -> Self:
        """Make the settings for inputs larger by a factor: lengths are multiplied."""

        def longer(value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(map(longer, value))
            return round(factor * value)

        lengths = _fields(type(self), _PIXELS)
        return replace(self, **{n: longer(getattr(self, n)) for n in lengths})

    @property
    def numbers(self) -> dict[str, float]:
        """Loss weights and learning rates, by the names of their settings."""
        return {name: getattr(self, name) for name in _fields(type(self), _NUMBER)}

    @property
    def form(self) -> Self:
        """Settings without their numbers, of which only 0 is told from others."""
        return replace(self, **{n: float(x != 0) for n, x in self.numbers.items()})


@cache
def _fields(method: type, note: str) -> tuple[str, ...]:
    """List the settings whose annotation, or that of whose elements, has a note."""

    def says(kind: Any) -> bool:
        return note in getattr(kind, "__metadata__", ()) or any(
            map(says, get_args(kind))
        )

    kinds = get_type_hints(method, include_extras=True)
    return tuple(name for name, kind in kinds.items() if says(kind))
