"""What is in a folder, as far as it must always be the same."""

import contextlib
import csv
import json
import re
from pathlib import Path
from typing import Any

# What tells of times, of numbers of trials, or of anything else that may differ.
UNSTEADY = re.compile(
    r"summary\.json|index\.html|curves\.png|best\.json|study\.db|parallel_.*\.png"
)
TIMES = {"seconds", "peak_memory_mib", "settings", "command", "images_per_second"}


def contents(folder: Path) -> dict[str, Any]:
    """What is in a folder, by name, as far as it must always be the same."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if re.match("checkpoint/.*/", name):
            continue  # Orbax notes times, and draws names
        if re.fullmatch(r"images/trial-\d+\.png", name):
            # A trial that was begun again has another number.
            name = f"images/trial {hash(path.read_bytes())}"
        found[name] = _content(path)
    return found


def _content(path: Path) -> Any:
    if path.is_dir():
        return "a folder"
    if UNSTEADY.fullmatch(path.name):
        return "a file"
    data = path.read_bytes()
    with contextlib.suppress(ValueError):  # a torn one stays as it is
        if path.name == "trials.csv":
            rows = list(csv.DictReader(data.decode().splitlines()))
            return sorted(
                str({n: x for n, x in row.items() if n not in ("trial", "seconds")})
                for row in rows
                if row["state"] == "complete"
            )
        if path.name == "metrics.jsonl":
            names = ("batch", "phase", "step", "epoch", "loss")
            rows = [json.loads(line) for line in data.decode().splitlines()]
            return [[row[name] for name in names if name in row] for row in rows]
        if path.suffix == ".json" and path.name != "config.json":
            return {n: x for n, x in json.loads(data).items() if n not in TIMES}
    return data
