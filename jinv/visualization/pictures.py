"""Photographs that images start from, or that are exaggerated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jinv.data.photographs import named
from jinv.errors import ConfigError
from jinv.models.classifier import Classifier
from jinv.models.photographs import levels_of


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Pictures:
    """Photographs as a network takes them.

    Attributes:
        starts: Photographs (images, height, width, channels), uint8, that images start
            from, if any.
        targets: Photographs of the same shape that are exaggerated, if any.
        names: Name of each.
    """

    starts: np.ndarray | None
    targets: np.ndarray | None
    names: tuple[str, ...]

    @classmethod
    def of(
        cls,
        classifier: Classifier,
        start: Any,
        caricature: Any,
        names: Sequence[str] | None,
        size: tuple[int, ...],
    ) -> "Pictures":
        """Bring photographs to the form that a network takes.

        Args:
            classifier: Network.
            start: Photographs that images start from, or None; see `levels_of`.
            caricature: Photographs that are exaggerated, or None.
            names: Name of each; by default numbers.
            size: Height and width, in pixels; empty for those of the photographs.

        Raises:
            ConfigError: They are no photographs, or do not fit together.
        """
        starts, targets = (
            None if given is None else levels_of(classifier, name, given, size)
            for name, given in (("start", start), ("caricature", caricature))
        )
        asked = starts if targets is None else targets
        count = 0 if asked is None else len(asked)
        called = named(names, count)
        if starts is not None and targets is not None:
            if starts.shape[1:] != targets.shape[1:]:
                raise ConfigError(
                    f"start has {starts.shape[1]}x{starts.shape[2]} pixels, caricature "
                    f"{targets.shape[1]}x{targets.shape[2]}: give --size HEIGHT,WIDTH"
                )
        return cls(starts, targets, called)

    @property
    def size(self) -> tuple[int, ...]:
        """Height and width; empty where there are no photographs."""
        found = self.starts if self.targets is None else self.targets
        return () if found is None else found.shape[1:3]

    def starts_of(self, questions: int) -> np.ndarray | None:
        """Tell where the images of so many questions start, each, if anywhere.

        Raises:
            ConfigError: There is neither one photograph for all, nor one for each.
        """
        if self.starts is None or len(self.starts) == questions:
            return self.starts
        if len(self.starts) > 1:
            raise ConfigError(
                f"start: expected one photograph, or {questions}, one for each, found "
                f"{len(self.starts)}"
            )
        return np.broadcast_to(self.starts, (questions, *self.starts.shape[1:]))
