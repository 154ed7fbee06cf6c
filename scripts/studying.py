"""What studies share: their folder, `jinv` as a process, sets, tables and pages."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from jinv.atomic import replacing
from jinv.checked import check_all
from jinv.data.sets import load_labelled
from jinv.errors import DataError, FolderError, JinvError
from jinv.folders import Folder, Kind
from jinv.levels import to_uint8
from jinv.models.spec import ClassifierSpec
from jinv.report.html import picture, wide_table, write_html

# A study and the commands that it calls share a GPU: neither may take all of it.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

STUDY = Kind("study", "study", owned=(), shared=True)


def claim(study: Any, folder: Path, *free: str) -> Folder:
    """Take a folder for a study, or for more arms of the one that is in it.

    Where it holds arms that differ in other fields, or something else, the study ends.

    Args:
        study: What was asked for, a dataclass.
        folder: Folder of all that the study leaves.
        *free: Names of its fields that may be others next time: which arms there are.
    """
    asked = {n: x for n, x in asdict(study).items() if n not in (*free, "out")}
    described = json.loads(json.dumps(asked, default=str))
    try:
        return Folder(folder, STUDY, described)
    except FolderError as error:
        sys.exit(f"error: {error}")


def call(
    command: str, words: str, last: Path | None = None, allowed: Iterable[int] = ()
) -> None:
    """Run a sub-command of jinv to its end, and say which.

    When a study is called again, what a command has done is not done again.

    Args:
        command: Name of the sub-command.
        words: All that follows.
        last: File by which it is known to be done, where its own look would take long.
        allowed: Statuses other than 0 with which it may end and the study goes on.
    """
    if last is not None and last.exists():
        return
    print(f"jinv {command} {words}", flush=True)
    arguments = [command, *shlex.split(words)]
    # As `jinv` itself has it; jax in this process says 1 (see `jinv/cli/__init__.py`).
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    status = subprocess.run(
        [sys.executable, "-m", "jinv", *arguments], env=environment
    ).returncode
    if status and status not in allowed:
        sys.exit(f"error: this ended with status {status}: jinv {command} {words}")


def quoted(*names: object) -> str:
    """Paths and the like among words, each as one word whatever is in it."""
    return shlex.join(map(str, names))


def begin(main: Callable[[Any], None], study: type) -> None:
    """Read what is asked for, and do it; what is refused is told in a line.

    Args:
        main: What does it.
        study: A dataclass, whose fields are the options.
    """
    try:
        asked = tyro.cli(study)
        check_all(asked)
        main(asked)
    except JinvError as error:
        sys.exit(f"error: {error}")


def save_real(
    path: Path, data: str, spec: ClassifierSpec, count: int, seed: int
) -> Path:
    """Draw some real training images, unless they are there; returns their file."""
    if path.exists():
        return path
    real = load_labelled(data, "train", spec.classes, spec.input_size, spec.channels)
    if count > len(real):
        raise DataError(f"{data} has {len(real)} training images, and not {count}")
    chosen = np.random.default_rng(seed).permutation(len(real))[:count]
    save_set(path, *real.read(np.sort(chosen)))
    return path


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
    (folder / "table.md").write_text(table, "utf-8")
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


def save_unlabelled(path: Path, images: np.ndarray) -> None:
    """Write images as a set whose labels mean nothing, to be learnt from by answers."""
    save_set(path, images, np.zeros(len(images), np.int32))
