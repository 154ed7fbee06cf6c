#!/usr/bin/env python3
"""What each part of NaturalInversion is good for: sets without some of its parts.

An arm is a set by `natural` with some of one-to-one (a generator for each batch), the
pyramid and the channel scaling, or with the pyramid of the last stages only; its
figures beside real images; and a student that is distilled from it alone. Leaves a
table, the losses of all arms and the students' curves in one figure each, and a page
with all of them. Can be interrupted, and goes on where it was when it is called again.

At the size of the paper, on a GPU:

    python scripts/ablate_natural.py --data cifar10.npz --preset natural-cifar10 \
        --model cifar10_resnet34 --weights runs/resnet34 --images 50000 \
        --batch-size 256 --steps 2000 --extractor inception_v3_fid \
        --student cifar10_resnet18 --student-steps 80000
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from studying import begin, call, claim, quoted, save_real, write_page

from jinv.cli.networks import load_extractor, load_network
from jinv.data.npz_set import NPZ
from jinv.data.sets import has_split, load_labelled
from jinv.engine.compilation import keep_compiled_programs
from jinv.engine.events import Event, Logged
from jinv.engine.execution import Execution
from jinv.formats.archives import read_npz
from jinv.inversion.make_job import make_job
from jinv.metrics_log import metrics_log
from jinv.models.classifier import Classifier
from jinv.models.loading import load_classifier
from jinv.models.spec import ClassifierSpec
from jinv.models.zoo import classifier_spec
from jinv.report.evaluation_table import MISSING, value_text
from jinv.report.layer_sheet import layer_sheet
from jinv.report.loss_curves import plot_losses
from jinv.report.pictures import save_picture
from jinv.report.student_curves import plot_students
from jinv.report.student_record import read_record
from jinv.synthesis.synthetic_set import synthesize
from jinv.transfer.distill_config import DistillConfig
from jinv.values import Count, Seed

PARTS = {
    "one-to-one": "one_to_one",
    "pyramid": "pyramid",
    "scaling": "channel_scaling",
}
"""Parts that an arm has or lacks, and their settings."""


def _arms() -> Iterator[tuple[str, dict[str, Any]]]:
    for chosen in product((True, False), repeat=len(PARTS)):
        name = "+".join(part for part, on in zip(PARTS, chosen, strict=True) if on)
        settings = zip(PARTS.values(), chosen, strict=True)
        yield name or "nothing", {setting: False for setting, on in settings if not on}
    for depth in range(1, 5):
        yield f"depth-{depth}", {"pyramid_stages": depth}


ARMS = dict(_arms())
"""Arms, by the settings in which they differ from the preset."""
USUAL = (
    "one-to-one+pyramid+scaling",
    "pyramid+scaling",
    "one-to-one+scaling",
    "one-to-one+pyramid",
    "nothing",
)
"""The whole, each part left out, and nothing of it."""
SOME, REAL = "as many real images", "all real images"
SHOWN = 10
"""Classes on the picture, by an image of each arm."""


@dataclass(frozen=True)
class Ablation:
    """Which arms, of which size; the defaults are for two cores."""

    data: str
    """Set of the real images: those that sets are compared with, those of the control,
    and those of all tests."""
    arms: tuple[str, ...] = USUAL
    model: str = "cifar10_resnet20"
    weights: Path | None = None
    preset: str = "natural"
    images: Count = 500
    batch_size: Count | None = None
    steps: Count = 350
    extractor: str | None = None
    """Network whose features are compared; see `jinv evaluate`."""
    judge: str | None = None
    """Network that took no part: NAME=FILE."""
    real_images: Count | None = None
    """Real images that sets are compared with, at most."""
    student: str = "cifar10_wrn16_1"
    student_steps: Count = 2000
    seed: Seed = 0
    out: Path = Path("runs/ablation")


def main(study: Ablation) -> None:
    if unknown := set(study.arms) - set(ARMS):
        sys.exit(f"unknown arms {sorted(unknown)}; there are {', '.join(ARMS)}")
    keep_compiled_programs()
    teacher = load_classifier(study.model, study.weights)
    stages = len(teacher.stages)
    if deep := [a for a in study.arms if ARMS[a].get("pyramid_stages", 0) > stages]:
        sys.exit(f"{study.model} has {stages} stages: leave out {', '.join(deep)}")
    check(study)
    with claim(study, study.out, "arms"):
        for arm in study.arms:
            make(study, arm, teacher)
        evaluate(study)
        for arm in (*study.arms, SOME, REAL):
            distil(study, arm, teacher.spec)
            tell(study, teacher.spec)


def check(study: Ablation) -> None:
    """Find what is needed after hours only before anything is made."""
    classifier_spec(study.student)
    DistillConfig(steps=study.student_steps).whole()
    judges = [load_network(study.judge)] if study.judge else []
    load_extractor(study.extractor, None, judges)
    if not has_split(study.data, "test"):
        sys.exit(f"{study.data} has no test images: give a set that has")


def make(study: Ablation, arm: str, teacher: Classifier) -> None:
    """Make the set of an arm, and keep its log."""
    folder = study.out / arm
    settings = {"steps": study.steps, **ARMS[arm]}
    print(f"{arm}: {study.images} images, {settings}", flush=True)
    job = make_job(
        teacher,
        "all",
        study.images,
        batch_size=study.batch_size,
        preset=study.preset,
        seed=study.seed,
        execution=Execution(frames=0),
        **settings,
    )
    folder.mkdir(parents=True, exist_ok=True)
    log = metrics_log(folder)

    def note(event: Event) -> None:
        if isinstance(event, Logged):
            log.append(event.row)

    synthesize(job, folder / "set", form="npz", on_event=note)


def evaluate(study: Ablation) -> None:
    """Compare all sets with real images, in one table."""
    first, *others = study.arms
    compared = quoted(study.out / first / "set")
    words = [f"{compared} --real {quoted(study.data)} --seed {study.seed}"]
    if others:
        words.append("--also " + quoted(*(f"{a}={study.out}/{a}/set" for a in others)))
    for option in ("extractor", "judge", "real_images"):
        if (value := getattr(study, option)) is not None:
            words.append(f"--{option.replace('_', '-')} {quoted(value)}")
    # Figures of other arms are measured anew: they are cheap beside the sets.
    folder = (
        study.out
        / "evaluation"
        / "-".join(str(list(ARMS).index(a)) for a in study.arms)
    )
    call("evaluate", " ".join([*words, f"--out {quoted(folder)}"]))
    (study.out / "evaluation.json").write_text((folder / "evaluation.json").read_text())


def distil(study: Ablation, arm: str, spec: ClassifierSpec) -> None:
    """Teach a student by the images of an arm alone, or by real ones."""
    if arm == SOME:
        path = study.out / "real.npz"
        source = save_real(path, study.data, spec, study.images, study.seed)
    else:
        source = study.data if arm == REAL else study.out / arm / "set"
    weights = f"--weights {quoted(study.weights)} " if study.weights else ""
    call(
        "distill",
        f"--student {study.student} --model {study.model} {weights}"
        f"--data {quoted(source)} --test {quoted(study.data)} "
        f"--steps {study.student_steps} --seed {study.seed} "
        f"--out {quoted(student_of(study, arm))}",
        student_of(study, arm) / f"{study.student}.json",
    )


def student_of(study: Ablation, arm: str) -> Path:
    return study.out / arm.replace(" ", "-") / "student"


def tell(study: Ablation, spec: ClassifierSpec) -> None:
    """Write the table, the figures and the page of what is done."""
    logs = {arm: rows(study.out / arm) for arm in study.arms}
    plot_losses(study.out / "losses.png", logs)
    show(study, spec)
    students = {
        arm: read_record(student_of(study, arm))
        for arm in (*study.arms, SOME, REAL)
        if (student_of(study, arm) / f"{study.student}.json").exists()
    }
    teacher = next(iter(students.values())).card["teacher"]
    plot_students(
        study.out / "students.png",
        {arm: student.arm for arm, student in students.items()},
        (teacher["name"], teacher["test_accuracy"]),
    )
    found = json.loads((study.out / "evaluation.json").read_text())
    names = ["fid", "precision", "recall", "inception_score"]
    names += [name for name in found["metrics"] if name.startswith("top1")]
    titles = {study.arms[0]: "this set"}
    measured = {arm: found["rows"][titles.get(arm, arm)] for arm in study.arms}
    measured |= {SOME: {}, REAL: found["rows"].get("real images (test)", {})}
    table = []
    for arm in (*study.arms, SOME, REAL):
        cells = [
            value_text(measured[arm][n], found["metrics"][n]["unit"])
            if n in measured[arm]
            else MISSING
            for n in names
        ]
        student = students.get(arm)
        accuracy = MISSING if student is None else f"{student.accuracy:.2f} %"
        table.append([arm, *cells, accuracy])
    columns = [found["metrics"][name]["title"] for name in names]
    columns = ["arm", *columns, f"{study.student}, test"]
    write_page(study.out, "NaturalInversion, part by part", columns, table)


def show(study: Ablation, spec: ClassifierSpec) -> None:
    """Show the last image of each class in each arm, below real ones.

    Of the last batch: one generator for all has made the first as one for each did.
    """
    real = load_labelled(
        study.data, "train", spec.classes, spec.input_size, spec.channels
    )
    names = "x_train", "y_train"
    sets = {arm: read_npz(study.out / arm / "set" / NPZ, names) for arm in study.arms}
    labels = sets[study.arms[0]]["y_train"]  # those of all arms
    classes = np.unique(labels)[:SHOWN]
    last = [np.flatnonzero(labels == label)[-1] for label in classes]
    made = {arm.replace("+", " + "): sets[arm]["x_train"][last] for arm in study.arms}
    known = np.array([np.argmax(real.labels == label) for label in classes])
    sheet = layer_sheet(real.read(known)[0], made, first="real images")
    save_picture(study.out / "images.png", sheet)


def rows(folder: Path) -> list[dict[str, Any]]:
    """The log of an arm; what was made again after a stop is there once."""
    found = metrics_log(folder).rows()
    return list({(row["batch"], row["step"]): row for row in found}.values())


if __name__ == "__main__":
    begin(main, Ablation)
