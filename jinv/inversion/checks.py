"""A check that the methods have in common."""

from typing import Any

from jinv.errors import ConfigError


def check_weights(config: Any, names: tuple[str, ...]) -> None:
    """Refuse an objective without terms.

    Raises:
        ConfigError: All the weights of these names are 0.
    """
    if not any(getattr(config, name) for name in names):
        raise ConfigError("every loss weight is 0: there is nothing to optimise")
