#!/usr/bin/env python3
"""Can a network hidden in a random one be turned into images, as a trained one can?

Inverts two networks of one architecture, one whose weights were trained and one of
which only the mask was (`jinv supermask`), with BatchNorm's feature term and without
it, all at the same budget; has the images judged by a network that took no part; and
leaves the four runs, a table (table.json) and a picture of all (images.png).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table

from jinv.cli.networks import load_network
from jinv.engine.compilation import keep_compiled_programs
from jinv.inversion.job import invert
from jinv.metrics.verifier import judge
from jinv.models.classifier import load_classifier
from jinv.report.panels import side_by_side
from jinv.report.pictures import grid, save_picture
from jinv.report.run_folder import save_run


@dataclass(frozen=True)
class Compare:
    """The two networks, and who judges."""

    dense: Path
    """Weights that were trained."""
    hidden: Path
    """The subnetwork of a random network."""
    verifier: str
    """Network that judges the images: NAME=FILE."""
    model: str = "cifar10_resnet8x2"
    images: int = 100
    steps: tuple[int, ...] | None = None
    """Updates in each stage; by default those of the preset."""
    seed: int = 0
    out: Path = Path("runs/invert_supermask")


def main(options: Compare) -> None:
    keep_compiled_programs()
    console = Console()
    verifier = load_network(options.verifier)
    table, pictures = {}, {}
    for network, weights in (("trained", options.dense), ("hidden", options.hidden)):
        classifier = load_classifier(options.model, weights)
        for term, changes in (("with", {}), ("without", {"w_feature": 0.0})):
            name = f"{network}, {term} the feature term"
            console.print(name)
            if options.steps:
                changes = {**changes, "steps": options.steps}
            result = invert(
                classifier, "all", options.images, seed=options.seed, **changes
            )
            folder = options.out / f"{network}-{term}"
            save_run(result, folder, verifier=verifier, overwrite=True)
            shown = (result.images, result.labels, classifier.spec.classes)
            terms = result.log[-1]["terms"]
            table[name] = {
                "own": judge(classifier, *shown)["top1"],
                "verifier": judge(verifier, *shown)["top1"],
                "feature": terms["feature"]["raw"] if "feature" in terms else None,
            }
            pictures[name] = grid(*shown)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "table.json").write_text(json.dumps(table, indent=2) + "\n")
    save_picture(options.out / "images.png", side_by_side(pictures, 2))

    lines = Table("images of", "recognised by itself", f"by {verifier.spec.name}")
    for name, row in table.items():
        shares = (f"{100 * row[judged]:.0f} %" for judged in ("own", "verifier"))
        lines.add_row(name, *shares)
    console.print(lines)


if __name__ == "__main__":
    main(tyro.cli(Compare))
