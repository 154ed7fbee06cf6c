"""Directions among a layer's channels, in files: found by a probe, by ICA, by hand."""

from pathlib import Path

import numpy as np

from jinv.errors import DataError
from jinv.formats.archives import TORN, read_npz


def read_directions(path: Path) -> np.ndarray:
    """Read a vector of a layer's channels, or several as the rows of a matrix.

    Args:
        path: Path of a .npy file, or of a .npz file with one array.

    Returns:
        Directions (directions, channels), float32.

    Raises:
        DataError: The file cannot be read, or holds something else.
    """
    try:
        found = _arrays(path)
    except TORN as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        reason = " ".join(reason.split()) or type(error).__name__
        if "allow_pickle" in reason:  # numpy's words for what is no array
            reason = "it is neither"
        raise DataError(
            f"{path} cannot be read as a .npy or .npz file: {reason}"
        ) from error
    if len(found) != 1:
        raise DataError(
            f"{path}: expected one array, found {len(found)} ("
            f"{', '.join([*found][:5])}{', …' if len(found) > 5 else ''}): save the "
            "directions alone"
        )
    (array,) = found.values()
    if array.dtype.kind not in "biuf" or array.ndim not in (1, 2) or not array.size:
        raise DataError(
            f"{path}: expected a vector of a layer's channels, or a matrix with one in "
            f"each row, found {array.dtype} of shape {array.shape}"
        )
    return np.atleast_2d(array).astype(np.float32)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if path.suffix.lower() == ".npz":
        return read_npz(path)
    found = np.load(path, allow_pickle=False)
    if not isinstance(found, np.ndarray):
        raise ValueError("it is neither")
    return {path.stem: found}
