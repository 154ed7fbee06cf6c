"""Folders in which one file is the weights, as a download of a whole model is."""

import re
from pathlib import Path

from jinv.formats.kinds import kind_of

_PREFERRED = ("model.safetensors", "pytorch_model.bin")
"""The names that Hugging Face gives to the same weights, the first to be taken."""
_BESIDE = re.compile(r"(training_args|optimizer|scheduler|scaler|rng_state).*", re.I)
_MOST_FILES = 1000
_MOST_NAMES = 3
_TENSORFLOW = ("saved_model.pb", "checkpoint")


def only_weights(folder: Path) -> Path:
    """Find the only file of weights in a folder.

    Raises:
        ValueError: There is none, or there are several.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for name in _PREFERRED:
        if folder / name in files:
            return folder / name
    names = {path.name for path in files}
    if not names.isdisjoint(_TENSORFLOW):
        raise ValueError(
            "it is a folder of TensorFlow: save the network's weights as safetensors "
            "or .npz and pass that"
        )
    found = [path for path in files[:_MOST_FILES] if _may_be_weights(path)]
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(path.name for path in found[:_MOST_NAMES])
        raise ValueError(
            f"it is a folder of several files of weights ({some}): pass one"
        )
    raise ValueError("it is a folder without a file of weights: pass the file itself")


def _may_be_weights(path: Path) -> bool:
    if _BESIDE.fullmatch(path.name):
        return False
    try:
        kind_of(path)
    except (ValueError, OSError):
        return False
    return True
