"""What studies share: `jinv` as a process, sets, and a table that is written down."""

import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from jinv.atomic import replacing


def call(command: str, words: str, files: Iterable[Path] = ()) -> None:
    """Run a sub-command of jinv to its end, and say which."""
    shown = "FILES " if files else ""
    print(f"jinv {command} {shown}{words}", flush=True)
    arguments = [command, *map(str, files), *shlex.split(words)]
    subprocess.run([sys.executable, "-m", "jinv", *arguments], check=True)


def save_set(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Save training images (images, height, width, channels), uint8, and labels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, x_train=images, y_train=labels)


def write_table(
    folder: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    """Write table.md, and show it."""
    lines = [columns, ["---"] * len(columns), *rows]
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    (folder / "table.md").write_text(table)
    print(table, flush=True)
