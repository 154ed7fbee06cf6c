"""Near matches for what somebody may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def near(word: str, known: Iterable[str]) -> str:
    """Offer the known words nearest to `word` in a phrase, or nothing.

    Example:
        >>> near("resnet5O", ["resnet50", "vgg16"])
        ' (did you mean resnet50?)'
    """
    matches = get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(matches)}?)" if matches else ""
