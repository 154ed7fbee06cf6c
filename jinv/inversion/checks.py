"""Checks that the methods have in common."""

from typing import Any

from jinv.errors import ConfigError


def check_numbers(
    config: Any, positive: tuple[str, ...] = (), at_least_0: tuple[str, ...] = ()
) -> None:
    """Refuse settings that no method can work with.

    Args:
        config: A method's configuration.
        positive: Names of those that must be positive; of a tuple, each element.
        at_least_0: Names of those that must not be negative.

    Raises:
        ConfigError: One is not.
    """
    for name in positive:
        value = getattr(config, name)
        least = min(value, default=1) if isinstance(value, tuple) else value
        if not least > 0:
            raise ConfigError(f"{name} must be positive, not {least}")
    for name in at_least_0:
        if not getattr(config, name) >= 0:
            raise ConfigError(
                f"{name} must not be negative, is {getattr(config, name)}"
            )


def check_flip(probability: float) -> None:
    """Refuse what is no probability.

    Raises:
        ConfigError: It is none.
    """
    if not 0 <= probability <= 1:
        raise ConfigError(f"flip is a probability in 0..1, not {probability}")


def check_weights(config: Any, names: tuple[str, ...]) -> None:
    """Refuse an objective without terms.

    Raises:
        ConfigError: All the weights of these names are 0.
    """
    if not any(getattr(config, name) for name in names):
        raise ConfigError("every loss weight is 0: there is nothing to optimise")
