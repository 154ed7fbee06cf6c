"""The cache of what can be had again: downloads and compiled programs."""

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_dir() -> Path:
    """The cache folder: `JINV_CACHE`, or else where the system keeps such things."""
    root = os.environ.get("JINV_CACHE")
    return Path(root) if root else user_cache_path("jinv", appauthor=False)
