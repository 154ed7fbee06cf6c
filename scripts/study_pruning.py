#!/usr/bin/env python3
"""How a pruned network recovers without data: ratios x recoveries x sets.

Filters of the teacher are cut (`jinv prune`); what is left is measured as it is, with
statistics measured anew, trained on the labels of a set (`jinv train`), and taught by
the teacher on its images (`jinv distill`). The sets are synthetic ones, noise, and the
real images; the last control is the small architecture trained on real images from
random weights, for as many steps. Leaves a table of accuracies, one of costs, a figure,
and a page with all of them. Can be interrupted, and goes on where it was when it is
called again.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from studying import (
    begin,
    call,
    claim,
    draw_noise,
    quoted,
    save_real,
    save_unlabelled,
    write_page,
    write_table,
)

from jinv.data.sets import load_labelled
from jinv.models.loading import load_classifier
from jinv.models.spec import ClassifierSpec
from jinv.report.axes import mark_level, new_figure, save_figure, tidy, write_title
from jinv.report.palette import COLOURS, INK
from jinv.transfer.prune import Ratio
from jinv.transfer.prunings import Where
from jinv.values import Count, Positive, Seed

MADE = {
    "fast": "--method fast",
    "pixels": "--preset default --steps 200 100",
}
"""Synthetic sets, and how they are made."""
NOISE, SOME, REAL = "noise", "as many real images", "all real images"
SETS = (*MADE, NOISE, SOME, REAL)

CUT, STATISTICS, LABELS, TAUGHT, SCRATCH = (
    "cut",
    "statistics",
    "labels",
    "taught",
    "scratch",
)
RECOVERIES = {
    CUT: "Cut, and nothing else",
    STATISTICS: "Statistics measured anew",
    LABELS: "Trained on labels",
    TAUGHT: "Taught by the network before",
    SCRATCH: "From random weights, on labels",
}
"""Recoveries, and how the figure calls them."""


@dataclass(frozen=True)
class Study:
    """Which ratios and sets, and how long small networks learn."""

    data: str
    """Set of the real images: those of the controls, and those of all tests."""
    model: str = "cifar10_resnet20"
    weights: Path | None = None
    ratios: tuple[Ratio, ...] = (0.5, 0.9)
    """Ratios of which all recoveries are tried."""
    others: tuple[Ratio, ...] = (0.3, 0.7)
    """Ratios that are cut and measured anew only."""
    where: Where = "inside"
    sets: tuple[str, ...] = SETS
    images: Count = 2000
    """Images of each synthetic set."""
    steps: Count = 1560
    """Updates of each recovery, about: those of labels are whole epochs."""
    batch_size: Count = 64
    lr: Positive = 0.01
    """Learning rate of recoveries that begin with what was cut."""
    lr_scratch: Positive = 0.1
    seed: Seed = 0
    out: Path = Path("runs/pruning")


class Arm(NamedTuple):
    """A ratio, how it recovers, and from which set."""

    ratio: float
    recovery: str
    source: str = ""

    def folder(self, study: Study) -> Path:
        words = f"{self.ratio:g}", self.recovery, self.source.replace(" ", "-")
        return study.out / study.where / "-".join(filter(None, words))

    def weights(self, study: Study) -> Path:
        return self.folder(study) / f"{study.model}.safetensors"

    def card(self, study: Study) -> dict[str, Any] | None:
        path = self.weights(study).with_suffix(".json")
        return json.loads(path.read_text()) if path.exists() else None


def arms(study: Study) -> Iterator[Arm]:
    """All arms, those on which others build first."""
    for ratio in sorted({*study.ratios, *study.others}):
        yield Arm(ratio, CUT)
        for source in study.sets:
            yield Arm(ratio, STATISTICS, source)
    for ratio in study.ratios:
        for source in study.sets:
            # Noise has no labels.
            if source != NOISE:
                yield Arm(ratio, LABELS, source)
            yield Arm(ratio, TAUGHT, source)
        yield Arm(ratio, SCRATCH, REAL)


def main(study: Study) -> None:
    if study.images < study.batch_size:
        sys.exit(f"{study.images} images make no batch of {study.batch_size}")
    if unknown := set(study.sets) - set(SETS):
        sys.exit(f"unknown sets {sorted(unknown)}; there are {', '.join(SETS)}")
    with claim(study, study.out, "ratios", "others", "sets", "where"):
        for arm in arms(study):
            carry_out(study, arm)
            tell(study)


def carry_out(study: Study, arm: Arm) -> None:
    """Do what an arm asks for, unless it is done."""
    if arm.card(study) is not None:
        return
    model = f"--model {study.model}"
    given = f" --weights {quoted(study.weights)}" if study.weights else ""
    cut = f"{model}{given} --ratio {arm.ratio:g} --where {study.where}"
    common = (
        f"--test {quoted(study.data)} --seed {study.seed} "
        f"--out {quoted(arm.folder(study))}"
    )
    source = of(study, arm.source) if arm.source else ""
    data = f"--data {quoted(source)}"
    learning = f"--batch-size {study.batch_size}"
    measured = arm._replace(recovery=STATISTICS)
    match arm.recovery:
        case "cut":
            call("prune", f"{cut} {common}")
        case "statistics":
            call("prune", f"{cut} {data} {common}")
        case "taught":
            student = f"--student {quoted(f'{study.model}={measured.weights(study)}')}"
            call(
                "distill",
                f"{student} {model}{given} {data} {learning} "
                f"--lr {study.lr} --steps {study.steps} --round-steps "
                f"{rounds(study.steps)} {common}",
            )
        case "labels" | "scratch":
            start, lr = measured, study.lr
            if arm.recovery == SCRATCH:
                start, lr = arm._replace(recovery="fresh"), study.lr_scratch
                call(
                    "prune",
                    f"{cut} --fresh --seed {study.seed} "
                    f"--out {quoted(start.folder(study))}",
                )
            spec = spec_of(study)
            classes, size = spec.classes, spec.input_size
            count = len(load_labelled(source, "train", classes, size, spec.channels))
            epochs = max(1, round(study.steps / (count // study.batch_size)))
            call(
                "train",
                f"{model} --init {quoted(start.weights(study))} {data} {learning} "
                f"--lr {lr} --weight-decay 1e-4 --warmup-epochs 0 --epochs {epochs} "
                f"{common}",
            )


def of(study: Study, source: str) -> str:
    """Where a set lies; it is made first, if need be."""
    if source == REAL:
        return study.data
    if source == NOISE:
        path = study.out / "sets" / "noise.npz"
        if not path.exists():
            noise = draw_noise(spec_of(study), study.images, study.seed)
            save_unlabelled(path, noise)
        return str(path)
    if source == SOME:
        path = study.out / "sets" / "real.npz"
        spec = spec_of(study)
        return str(save_real(path, study.data, spec, study.images, study.seed))
    path = study.out / "sets" / source
    if (path / "summary.json").exists():
        return str(path)
    given = f" --weights {quoted(study.weights)}" if study.weights else ""
    call(
        "synthesize",
        f"--model {study.model}{given} {MADE[source]} --images {study.images} "
        f"--form npz --seed {study.seed} --out {quoted(path)}",
    )
    return str(path)


@cache
def spec_of(study: Study) -> ClassifierSpec:
    """Specification of the network, as its weights have it."""
    return load_classifier(study.model, study.weights).spec


def rounds(steps: int) -> int:
    """Updates between two looks at a student: about 20 whole rounds."""
    return next(steps // n for n in range(min(20, steps), 0, -1) if steps % n == 0)


def tell(study: Study) -> None:
    """Write the tables, the figure and the page of the arms that are done."""
    cards = {arm: card for arm in arms(study) if (card := arm.card(study))}
    folder = study.out / study.where
    costs = [
        [
            f"{100 * arm.ratio:g} %",
            *(f"{before:,} → {after:,}" for before, after in pairs(card)),
            " → ".join(f"{each:.1f}" for each in card["milliseconds"]),
        ]
        for arm, card in cards.items()
        if arm.recovery == CUT
    ]
    (folder / "costs").mkdir(exist_ok=True)
    titles = "cut", "parameters", "multiply-adds", "ms for 64 images"
    write_table(folder / "costs", titles, costs)
    before = next(iter(cards.values()))["accuracies"]["before"]
    plot(folder / "accuracy.png", cards, before)
    rows = [
        [
            f"{100 * arm.ratio:g} %",
            RECOVERIES[arm.recovery],
            arm.source or "–",
            f"{card['test_accuracy']:.2f} %",
        ]
        for arm, card in sorted(cards.items(), key=lambda item: item[0].ratio)
    ]
    columns = "cut", "recovery", "images", f"test (before: {before:.2f} %)"
    write_page(folder, f"{study.model}, pruned ({study.where})", columns, rows)


def pairs(card: dict[str, Any]) -> tuple[list[int], list[int]]:
    return card["parameters"], card["multiply_adds"]


def plot(path: Path, cards: dict[Arm, dict[str, Any]], before: float) -> None:
    """Plot accuracy by ratio: a panel for each recovery, a line for each set."""
    shown = [name for name in RECOVERIES if any(a.recovery == name for a in cards)]
    figure = new_figure(max(6.5, 3.6 * len(shown)), 4)
    panels = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
    colours = dict(zip(("", *SETS), (INK, *COLOURS), strict=False))
    for axes, recovery in zip(panels, shown, strict=True):
        tidy(axes)
        write_title(axes, RECOVERIES[recovery])
        axes.set_xlabel("filters that are cut (%)", color=INK)
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 100)
        for source in ("", *SETS):
            points = sorted(
                (100 * arm.ratio, card["test_accuracy"])
                for arm, card in cards.items()
                if (arm.recovery, arm.source) == (recovery, source)
            )
            if points:
                label = source or "no images"
                axes.plot(
                    *zip(*points, strict=True), "o-", c=colours[source], label=label
                )
        mark_level(axes, before, f"before: {before:.2f} %")
        axes.legend(frameon=False, fontsize=9, loc="lower left")
    panels[0].set_ylabel("test images recognised (%)", color=INK)
    save_figure(figure, path)


if __name__ == "__main__":
    begin(main, Study)
