"""Checksums, by which files of weights are known."""

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Checksum of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
