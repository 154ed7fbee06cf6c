"""Where what can be had again is kept: downloads and compiled programs."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """The cache folder (`JINV_CACHE` overrides)."""
    root = os.environ.get("JINV_CACHE")
    if root:
        return Path(root)
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "jinv"
