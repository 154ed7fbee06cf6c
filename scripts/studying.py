"""What studies share: `jinv` as a process, and a table that is written down."""

import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path


def call(command: str, words: str, files: Iterable[Path] = ()) -> None:
    """Run a sub-command of jinv to its end, and say which."""
    shown = "FILES " if files else ""
    print(f"jinv {command} {shown}{words}", flush=True)
    arguments = [command, *map(str, files), *shlex.split(words)]
    subprocess.run([sys.executable, "-m", "jinv", *arguments], check=True)


def write_table(
    folder: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    """Write table.md, and show it."""
    lines = [columns, ["---"] * len(columns), *rows]
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    (folder / "table.md").write_text(table)
    print(table, flush=True)
