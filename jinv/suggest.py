"""Near matches for what somebody may have meant."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from jinv.errors import ConfigError


def near(word: str, known: Iterable[str]) -> str:
    """Offer the known words nearest to `word` in a phrase, or nothing.

    Example:
        >>> near("resnet5O", ["resnet50", "vgg16"])
        ' (did you mean resnet50?)'
    """
    matches = get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(matches)}?)" if matches else ""


def check_known(what: str, name: str, known: Collection[str], also: str = "") -> None:
    """Refuse a name that there is not.

    Args:
        what: Word for what is named, e.g. "preset".
        name: Name that was given.
        known: Names of all that there are.
        also: More words on what there is, behind the names.

    Raises:
        ConfigError: There is none of this name; near matches are offered.

    Example:
        >>> check_known("preset", "default", ["default", "thesis"])
    """
    if name not in known:
        raise ConfigError(
            f"unknown {what} {name!r}{near(name, known)}; there are "
            f"{', '.join(known)}{also}"
        )


def check_options(given: Iterable[str], known: Collection[str]) -> None:
    """Refuse options that there are not.

    Args:
        given: Names of the options that were given.
        known: Names of all that there are.

    Raises:
        ConfigError: There is none of a name; near matches are offered.
    """
    for name in given:
        check_known("option", name, known)
