#!/usr/bin/env python3
"""Can a network hidden in a random one be turned into images, as a trained one can?

Inverts two networks of one architecture, one whose weights were trained and one of
which only the mask was (`jinv supermask`), with the BatchNorm term and without
it, all at the same budget; has the images judged by a network that took no part; and
leaves the four runs, a table (table.json) and a picture of all (images.png).
"""

import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from jinv.atomic import write_json
from jinv.cli.networks import load_network
from jinv.engine.compilation import keep_compiled_programs
from jinv.errors import ConfigError
from jinv.inversion.invert import invert
from jinv.models.loading import load_classifier
from jinv.report.grid import grid
from jinv.report.html import read_json
from jinv.report.panels import side_by_side
from jinv.report.pictures import save_picture
from jinv.report.run_folder import save_run


@dataclass(frozen=True)
class Compare:
    """The two networks, and who judges."""

    dense: Path
    """Weights that were trained."""
    hidden: Path
    """The subnetwork of a random network."""
    judge: str
    """Network that judges the images: NAME=FILE."""
    model: str = "cifar10_resnet8x2"
    images: int = 100
    steps: tuple[int, ...] | None = None
    """Updates in each phase; by default those of the preset."""
    seed: int = 0
    out: Path = Path("runs/invert_supermask")


def main(options: Compare) -> None:
    keep_compiled_programs()
    console = Console()
    judge = load_network(options.judge)
    networks = {
        "trained": load_classifier(options.model, options.dense),
        "hidden": load_classifier(options.model, options.hidden),
    }
    if judge.sha256 in {network.sha256 for network in networks.values()}:
        raise ConfigError("the judge is one of the networks: choose another")
    table, pictures = {}, {}
    for (name, classifier), term in product(networks.items(), ("with", "without")):
        changes: dict[str, Any] = {"w_bn": 0.0} if term == "without" else {}
        if options.steps:
            changes["steps"] = options.steps
        title, started = f"{name}, {term} the BatchNorm term", time.monotonic()
        result = invert(classifier, "all", options.images, seed=options.seed, **changes)
        folder = options.out / f"{name}-{term}"
        save_run(result, folder, judge=judge, overwrite=True)
        # Of the images as they are on disk.
        summary = read_json(folder / "summary.json")
        table[title] = {who: summary[who]["top1"] for who in ("teacher", "judge")}
        pictures[title] = grid(result.images, result.labels, classifier.spec.classes)
        took, left = time.monotonic() - started, 4 - len(table)
        console.print(f"{title}: {took:.0f} s; about {left * took:.0f} s left")
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(options.out / "table.json", table)
    save_picture(options.out / "images.png", side_by_side(pictures, 2))

    lines = Table("images of", "recognised by itself", f"by {judge.spec.name}")
    for name, row in table.items():
        shares = (f"{100 * row[judged]:.0f} %" for judged in ("teacher", "judge"))
        lines.add_row(name, *shares)
    console.print(lines)


if __name__ == "__main__":
    main(tyro.cli(Compare))
