"""`jinv prune`: a network made smaller, filter by filter."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from jinv.cli.networks import NetworkFacts
from jinv.cli.training import command_line, load_images
from jinv.console import make_console
from jinv.data.labelled import LabelledImages
from jinv.devices import backend
from jinv.engine.compilation import keep_compiled_programs
from jinv.errors import ConfigError
from jinv.folders import Folder, weights_kind
from jinv.models.costs import milliseconds_of
from jinv.models.loading import load_classifier, make_classifier
from jinv.models.zoo import beyond_zoo
from jinv.transfer.accuracy import accuracy
from jinv.transfer.description import described_images
from jinv.transfer.prune import Pruned, prune
from jinv.transfer.prunings import PRUNINGS, Where
from jinv.values import Count, Seed, ShareBelow1

_BATCH = 64
"""Images of a batch whose time is measured."""


@dataclass(frozen=True)
class Prune:
    """Cut the weakest filters out of a network, which becomes really smaller.

    Writes MODEL.safetensors, the small network, and MODEL.json, its card, to --out. The
    file says what it is, and is taken wherever weights of MODEL are.
    """

    model: str = "cifar10_resnet20"
    """Network to cut, by its name in the zoo (`jinv models`)."""
    weights: Path | None = None
    """Weights of --model, as `jinv invert` takes them; also of one that is pruned."""
    facts: tyro.conf.OmitArgPrefixes[NetworkFacts] = field(default_factory=NetworkFacts)
    ratio: tuple[ShareBelow1, ...] = ()
    """Share of the filters that is cut, over 0 and below 1: one everywhere, or one for
    each stage, of which 0 leaves a stage as it is."""
    preset: Annotated[
        str | None, tyro.conf.arg(metavar=f"{{{','.join(PRUNINGS)}}}")
    ] = None
    """Published pruning, overridden by any option that is given too."""
    where: Where | None = None
    """Which filters: those inside blocks (by default, as published), those of the trunk
    that all blocks write to, or both."""
    skip: tuple[str, ...] = ()
    """Layers that keep all filters, by name or pattern, e.g. 'layer4.*'."""
    multiple: Count | None = None
    """Number of which the filters that a layer keeps are to be a multiple, e.g. 8: some
    more are kept, which many devices compute as fast."""
    data: str | None = None
    """Set on whose images BatchNorm statistics are measured anew, synthetic or real."""
    split: str = "train"
    """Split of --data."""
    test: str | None = None
    """Set whose test images measure the accuracy, before and after."""
    test_split: str = "test"
    """Split of the test images."""
    fresh: bool = False
    """Draw all weights of the small network anew, by the seed: what it learns without
    those of the large one is the control."""
    seed: Seed = 0
    """Seed of --fresh weights."""
    out: Path = Path("runs/prune")
    """Folder for the weights and the card."""
    overwrite: bool = False
    """Replace what is in --out."""


def run(options: Prune) -> int:
    """Carry the command out; returns the exit status."""
    keep_compiled_programs()
    console = make_console()
    classifier = load_classifier(
        options.model, options.weights, **options.facts.given().to_json()
    )
    spec = classifier.spec
    data = options.data and load_images(options.data, options.split, spec)
    test = options.test and load_images(options.test, options.test_split, spec)
    pruned = prune(
        classifier,
        # One number is for all stages.
        options.ratio[0] if len(options.ratio) == 1 else options.ratio or None,
        preset=options.preset,
        where=options.where,
        skip=options.skip or None,
        multiple=options.multiple,
    )
    if options.fresh and data:
        raise ConfigError("--fresh draws weights that no --data was seen by: leave one")
    description = {
        **beyond_zoo(spec).to_json(),
        **pruned.card(),
        "data": data and described_images(data),
        "test": test and described_images(test),
        "fresh": options.seed if options.fresh else None,
    }
    kind = weights_kind("pruning", spec.name, once=True)
    with Folder(options.out, kind, description, overwrite=options.overwrite) as folder:
        if folder.finished:
            console.print(f"{options.out} holds this network already")
            return 0
        path = _cut(options, pruned, data or None, test or None, console)
    console.print(f"wrote {path}")
    return 0


def _cut(
    options: Prune,
    pruned: Pruned,
    data: LabelledImages | None,
    test: LabelledImages | None,
    console: Console,
) -> Path:
    """Measure on the way, tell, and write the small network."""
    original, accuracies = pruned.original, {}

    def tested(step: str, network: Any) -> None:
        if test is not None:
            found = accuracy(network, network.variables, test)
            accuracies[step] = round(found, 2)

    tested("before", original)
    tested("cut", pruned.classifier)
    if data is not None:
        pruned = pruned.measured_anew(data)
        tested("statistics", pruned.classifier)
    if options.fresh:
        fresh = make_classifier(pruned.classifier.spec, options.seed)
        pruned = replace(pruned, classifier=fresh)
        tested("fresh", fresh)
    times = milliseconds_of((original, pruned.classifier), _BATCH)
    console.print(_table(pruned, times))
    for step, found in accuracies.items():
        console.print(f"{_STEPS[step]}: {found:.2f} % of {options.test}")
    return pruned.save(
        options.out,
        {
            "milliseconds": [round(each, 3) for each in times],
            "batch": _BATCH,
            "platform": backend(),
            "accuracies": accuracies,
            "test_accuracy": next(reversed(accuracies.values()), None),
            "data": options.data,
            "test": options.test,
            "fresh": options.seed if options.fresh else None,
            "command": command_line("prune"),
        },
    )


_STEPS = {
    "before": "before",
    "cut": "cut",
    "statistics": "with statistics measured anew",
    "fresh": "with weights drawn anew",
}
"""What each accuracy is of."""


def _table(pruned: Pruned, times: list[float]) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column(pruned.original.spec.name)
    for title in ("before", "after", "left"):
        table.add_column(title, justify="right")
    rows = {
        "parameters": (pruned.before.parameters, pruned.after.parameters),
        "multiply-adds": (pruned.before.multiply_adds, pruned.after.multiply_adds),
        f"ms for {_BATCH} images": times,
    }
    for name, (before, after) in rows.items():
        shown = [
            f"{x:,.1f}" if isinstance(x, float) else f"{x:,}" for x in (before, after)
        ]
        table.add_row(name, *shown, f"{100 * after / before:.1f} %")
    return table
