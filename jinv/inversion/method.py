"""What a method has to offer."""

from typing import Any, ClassVar, Protocol, Self

from jinv.engine.phase import Procedure
from jinv.models.classifier import Classifier


class Method(Protocol):
    """A method's configuration: a frozen dataclass that can say what is to be done."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def procedure(self, classifier: Classifier) -> Procedure:
        """What the engine is to do.

        Raises:
            ConfigError: A setting cannot work, alone or with this classifier.
        """
        ...

    def scaled(self, factor: float) -> Self:
        """The configuration with all its lengths in pixels multiplied."""
        ...

    def follow(self, given: frozenset[str]) -> Self:
        """The configuration with what nobody gave made to fit what somebody gave.

        Args:
            given: Names of the settings that were given; they stay as they are.
        """
        ...
