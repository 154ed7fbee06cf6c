"""Former flags: the names that flags had before."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

from jinv.errors import JinvWarning


class Former(NamedTuple):
    """A former flag, and what has become of it.

    Attributes:
        flag: Flag by its name today.
        commands: Commands that have it.
        warns: Whether who gives it is told of its name today, as it is about to go.
    """

    flag: str
    commands: frozenset[str]
    warns: bool = True


INVERTING = frozenset({"invert", "search", "synthesize"})

_ASKING = frozenset({"reconstruct", "visualize"})
_VISUALISING = frozenset({"visualize"})

FORMER_FLAGS = {
    "--feature-norm": Former("--bn-norm", INVERTING),
    "--verifier": Former("--judge", INVERTING | {"evaluate"}),
    "--verifier-weights": Former("--judge-weights", INVERTING),
    # What the term is called in the literature: there is no harm in it.
    "--w-feature": Former("--w-bn", INVERTING, warns=False),
    # Who asks for one need not write it as if there were several.
    "--layer": Former("--layers", _ASKING, warns=False),
    "--unit": Former("--units", _VISUALISING, warns=False),
    "--class": Former("--classes", _VISUALISING, warns=False),
    "--direction": Former("--directions", _VISUALISING, warns=False),
    "--diversity": Former("--w-diversity", _VISUALISING, warns=False),
}
"""Flags that are understood, and in no help: former or other name → today's."""


def todays_words(command: str, words: Sequence[str]) -> list[str]:
    """Put today's flags in the place of former ones in the words of a command line.

    Args:
        command: Name of the sub-command.
        words: What follows it; flags as `--flag VALUE` or `--flag=VALUE`, with - or _.

    Warns:
        JinvWarning: A flag is about to go.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     todays_words("invert", ["--verifier=vgg16"])
        ['--judge=vgg16']
    """
    return [_todays_word(command, word) for word in words]


def _todays_word(command: str, word: str) -> str:
    name, equals, value = word.partition("=")
    former = FORMER_FLAGS.get(name.replace("_", "-"))
    if former is None or command not in former.commands:
        return word
    if former.warns:
        warnings.warn(
            f"{name} is called {former.flag} now: the next version knows no other name",
            JinvWarning,
            stacklevel=2,
        )
    return f"{former.flag}{equals}{value}"
