"""What studies share: `jinv` as a process, sets, tables and pages."""

import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np

from jinv.atomic import replacing
from jinv.levels import to_uint8
from jinv.models.spec import ClassifierSpec
from jinv.report.html import picture, wide_table, write_html


def call(command: str, words: str) -> None:
    """Run a sub-command of jinv to its end, and say which."""
    print(f"jinv {command} {words}", flush=True)
    arguments = [command, *shlex.split(words)]
    subprocess.run([sys.executable, "-m", "jinv", *arguments], check=True)


def quoted(*names: object) -> str:
    """Paths and the like among words, each as one word whatever is in it."""
    return shlex.join(map(str, names))


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


def write_page(
    folder: Path, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """Write the table as Markdown, and a page with it and all pictures."""
    write_table(folder, columns, rows)
    cells = [[*map(escape, row)] for row in rows]
    sections = [
        f"<header>\n<h1>{escape(title)}</h1>\n</header>\n",
        f"<section>\n{wide_table([*map(escape, columns)], cells)}</section>\n",
        *(
            picture(path, escape(path.stem), escape(f"{title}: {path.stem}"))
            for path in sorted(folder.glob("*.png"))
        ),
    ]
    write_html(folder / "index.html", title, sections)


def draw_noise(spec: ClassifierSpec, count: int, seed: int) -> np.ndarray:
    """Normal numbers of the mean and deviation that a network's images have."""
    shape = count, spec.input_size, spec.input_size, spec.channels
    return to_uint8(np.random.default_rng(seed).normal(spec.mean, spec.std, shape))


def save_images(path: Path, images: np.ndarray) -> None:
    """Write images as a set without labels, to be learnt from by answers."""
    save_set(path, images, np.zeros(len(images), np.int32))
