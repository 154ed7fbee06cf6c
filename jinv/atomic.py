"""Files that are there whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place when the block succeeds.

    Args:
        path: The file to write or to replace.

    Yields:
        Where to write.
    """
    # Several processes may write the same file.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file that people can read."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")
