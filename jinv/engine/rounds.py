"""Rounds: parts of a lesson, after each of which one looks at what was learnt."""

from jinv.errors import ConfigError


def whole_rounds(steps: int, round_steps: int) -> int:
    """Make rounds no longer than all steps together.

    Args:
        steps: All updates.
        round_steps: Updates in a round, as asked for.

    Returns:
        Updates in a round.

    Raises:
        ConfigError: The steps make no whole rounds.

    Example:
        >>> whole_rounds(4, 50), whole_rounds(100, 50)
        (4, 50)
    """
    length = min(round_steps, steps)
    if rest := steps % length:
        below, above = steps - rest, steps - rest + length
        raise ConfigError(
            f"steps {steps}: expected whole rounds of round_steps {length}, "
            f"e.g. {below} or {above}"
        )
    return length
