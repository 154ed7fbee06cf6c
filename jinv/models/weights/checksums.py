"""Checksums, by which files of weights are known."""

import hashlib
from pathlib import Path
from typing import Any

import jax
import numpy as np


def sha256_of(path: Path) -> str:
    """Checksum in hexadecimal of a file, or of a folder's names and files."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            digest.update(f"{file.relative_to(path)}\0{sha256_of(file)}\n".encode())
    return digest.hexdigest()


def fingerprint_of(tree: Any) -> str:
    """Checksum in hexadecimal of the arrays of a tree, in its order."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        digest.update(np.asarray(leaf).tobytes())
    return digest.hexdigest()
