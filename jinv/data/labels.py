"""Labels as people save them, made numbers of a model's classes."""

from collections.abc import Sequence
from unicodedata import normalize

import numpy as np

from jinv.errors import DataError
from jinv.suggest import near

_MOST_NAMED = 10
_LARGEST = 2**31 - 1


def to_labels(
    found: np.ndarray,
    where: str,
    classes: Sequence[str],
    own: Sequence[str] | None = None,
) -> np.ndarray:
    """Turn labels into indices of a model's classes.

    Args:
        found: Labels (n,) or (n, 1): whole numbers, also as floats, or names.
        where: What errors call the labels.
        classes: Classes of the model.
        own: Classes of the set itself: numbers are indices into these, which are then
            found by name among the model's.

    Returns:
        Labels (n,), int32.

    Raises:
        DataError: They are no such labels, or of classes that the model does not have.
    """
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1:
        raise DataError(
            f"{where}: expected one label an image, shape (n,), found {found.shape}: "
            "of one-hot labels np.argmax(y, axis=1) makes numbers"
        )
    if found.dtype.kind in "US":
        names, numbers = np.unique(found, return_inverse=True)
        return _by_name(_text(names), where, classes)[numbers]
    if own is None:
        return _whole(found, where, len(classes))
    numbers = _whole(found, where, len(own))
    used = np.unique(numbers)
    table = np.full(len(own), -1, np.int32)
    table[used] = _by_name([own[int(number)] for number in used], where, classes)
    return table[numbers]


def unknown_classes(
    unknown: Sequence[str], where: str, classes: Sequence[str]
) -> DataError:
    """The error that a set has classes which the model does not have."""
    hint = near(unknown[0], classes) if len(unknown) == 1 else ""
    be = "is" if len(unknown) == 1 else "are"
    return DataError(
        f"{where}: {listed(unknown)} {be} named after no class of the model{hint}, "
        f"which knows {listed(classes, 5)}: rename, remove, or choose a model of these "
        "classes"
    )


def listed(names: Sequence[str], most: int = _MOST_NAMED) -> str:
    """Names on one line; of many, the first.

    Example:
        >>> listed(["a", "b", "c"], 2)
        "'a', 'b' and 1 more"
    """
    text = ", ".join(repr(str(name)[:80]) for name in names[:most])
    more = len(names) - most
    return f"{text} and {more} more" if more > 0 else text


def _by_name(names: Sequence[str], where: str, classes: Sequence[str]) -> np.ndarray:
    """The index of each name among the model's classes, whatever their Unicode form."""
    known = {normalize("NFC", name): index for index, name in enumerate(classes)}
    known |= {name: index for index, name in enumerate(classes)}
    found = [known.get(name, known.get(normalize("NFC", name), -1)) for name in names]
    unknown = [name for name, label in zip(names, found, strict=True) if label < 0]
    if unknown:
        raise unknown_classes(unknown, where, classes)
    return np.asarray(found, np.int32)


def check_whole(
    found: np.ndarray, where: str, least: int = -_LARGEST, most: int = _LARGEST
) -> None:
    """Refuse labels that are no whole numbers in a range.

    They are compared as they are: a conversion would wrap large ones, and lose NaN.

    Args:
        found: Labels.
        where: What errors call them.
        least: Least number, by default of those that 32 bits hold.
        most: Greatest number.

    Raises:
        DataError: One is none.
    """
    if found.dtype.kind not in "biuf":
        raise DataError(
            f"{where}: expected whole numbers or names of classes, found {found.dtype}"
        )
    if found.dtype.kind == "f":
        wrong = found[found != np.floor(found)]
        if wrong.size:
            raise DataError(
                f"{where}: labels must be whole numbers in {least}..{most}, found "
                f"{wrong[0]:g}"
            )
    if found.size and not least <= found.min() <= found.max() <= most:
        raise DataError(
            f"{where}: labels must lie in {least}..{most}, found {found.min()}.."
            f"{found.max()}: choose a model with a class for each"
        )


def _whole(found: np.ndarray, where: str, count: int) -> np.ndarray:
    check_whole(found, where, 0, count - 1)
    return found.astype(np.int32)


def _text(names: np.ndarray) -> list[str]:
    if names.dtype.kind == "S":
        return [name.decode("utf-8", "replace") for name in names.tolist()]
    return names.tolist()
