"""`jinv distill`: a student of a network, from a set or without any data."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from jinv.cli.job_options import word_after
from jinv.cli.networks import NetworkFacts, load_network
from jinv.cli.running import preset_told
from jinv.cli.stopping import Stop
from jinv.cli.student_progress import StudentProgress
from jinv.cli.training import command_line, has_tests, load_images
from jinv.console import make_console
from jinv.data.labelled import LabelledImages
from jinv.devices import backend
from jinv.engine.compilation import keep_compiled_programs
from jinv.engine.precision import activation_type
from jinv.errors import ConfigError
from jinv.inversion.settings import at_sizes, in_place
from jinv.models.classifier import Classifier
from jinv.models.facts import Facts
from jinv.models.loading import load_classifier, make_classifier
from jinv.models.zoo import classifier_spec
from jinv.synthesis.synthetic_set import cost_of, folder_of
from jinv.transfer.distill import distill
from jinv.transfer.distill_config import DistillConfig
from jinv.transfer.distillations import DISTILLATIONS, find_distillation, learning_of
from jinv.values import Count, Natural

_PREFIX = "--synthesis."


@dataclass(frozen=True)
class Distill:
    """Teach a student what a network knows, from a set or without any data.

    Without --data, images are made while the student learns: a batch for each round,
    against the student as it is then. Writes STUDENT.safetensors, STUDENT.json, its
    card, index.html, its page, and pool, the images as a set, to --out. Interrupted
    work goes on where it stopped when the same command is given again.
    """

    student: str
    """Network that learns: NAME, with random weights, or NAME=FILE."""
    model: str = "cifar10_resnet20"
    """Network that teaches, by its name in the zoo (`jinv models`)."""
    weights: Path | None = None
    """Weights of --model, as `jinv invert` takes them."""
    facts: tyro.conf.OmitArgPrefixes[NetworkFacts] = field(default_factory=NetworkFacts)
    data: str | None = None
    """Images to learn from, instead of new ones: what `jinv synthesize` or this command
    wrote, or real ones, as `jinv train` takes them."""
    split: str = "train"
    """Split of --data, or of --start-from."""
    test: str | None = None
    """Set whose test images measure the accuracy; by default --data's own, if any."""
    test_split: str = "test"
    """Split of the test images."""
    preset: Annotated[
        str | None, tyro.conf.arg(metavar=f"{{{','.join(DISTILLATIONS)}}}")
    ] = None
    """Named way to a student without data, overridden by any option that is given too;
    with --data, its way of learning."""
    images_at_once: Count | None = None
    """Images that are made for each round; by default the preset's."""
    warmup_batches: Natural | None = None
    """Batches of images that are made before the first update."""
    start_from: str | None = None
    """Set whose images are in the pool from the start."""
    leaves: Natural | None = None
    """Number of dead leaves, which are drawn without any data or network, to learn from
    too; by default the preset's, and none with --data."""
    turns: Count | None = None
    """Steps of the student for each of the generator, where the preset is a game of
    the two (dafl, dfad)."""
    beside: tuple[str, ...] = ()
    """Other distillations that the page is to show too, each NAME=FOLDER, such as one
    from real images with the same options."""
    out: Path = Path("runs/distill")
    """Folder for everything that the distillation leaves."""
    devices: Natural = 0
    """Over how many devices each batch is spread; 0 for as many as share it evenly."""
    overwrite: bool = False
    """Replace what is in --out."""
    config: tyro.conf.OmitArgPrefixes[DistillConfig] = field(
        default_factory=DistillConfig
    )
    synthesis: Any = field(
        default_factory=lambda: DISTILLATIONS["default"].method,
    )
    """How images are made: settings of the preset's method."""
    before: tyro.conf.Suppress[Mapping[str, Any]] = field(default_factory=dict)
    """What the preset has where the command line gives settings of the method."""


def defaults(words: Sequence[str]) -> Distill:
    """Defaults of all options, given the words of the command line."""
    preset, data = word_after(words, "--preset"), word_after(words, "--data")
    way = find_distillation(preset or "default")
    spec = classifier_spec(word_after(words, "--model") or Distill.model)
    flags = (word.partition("=")[0] for word in words)
    given = {
        flag.removeprefix(_PREFIX).removeprefix("no-").replace("-", "_")
        for flag in flags
        if flag.startswith(_PREFIX)
    }
    synthesis = way.fitted(spec)
    return Distill(
        student=tyro.MISSING,
        config=learning_of(preset, data is not None),
        synthesis=synthesis,
        before=in_place(synthesis, given),
    )


def run(options: Distill) -> int:
    """Carry the command out; returns the exit status."""
    keep_compiled_programs()
    console = make_console()
    config = options.config
    teacher = load_classifier(
        options.model,
        options.weights,
        **options.facts.given().to_json(),
        dtype=activation_type(config.precision),
    )
    student = _student(options.student, teacher, config.seed)

    made = [f"{_PREFIX}{name.replace('_', '-')}" for name in sorted(options.before)]
    made += ["--start-from"] if options.start_from else []
    if options.data and made:
        raise ConfigError(
            f"{made[0]} is for images that are made, and --data gives them: leave one "
            "out"
        )

    def load(source: str | None) -> LabelledImages | None:
        return load_images(source, options.split, teacher.spec) if source else None

    data, start = load(options.data), load(options.start_from)
    test = _test(options, teacher)
    method = at_sizes(options.synthesis.follow(options.before), teacher, options.before)

    given = options.data or options.start_from

    def announce() -> None:
        if data:
            source = f"{options.data} ({len(data)} images)"
        else:
            preset = find_distillation(options.preset or "default")
            source = f"no data, {preset_told(options.preset, preset)}"
        console.print(
            f"{student.spec.name} learns from {teacher.spec.name} by {source}: "
            f"{config.steps} steps of {config.batch_size} images ({backend()}); "
            f"progress is kept in {options.out}"
        )

    with Stop() as stop, StudentProgress(console) as progress:
        distilled = distill(
            teacher,
            student,
            options.out,
            data,
            test,
            preset=options.preset,
            synthesis=None if data else method,
            images_at_once=options.images_at_once,
            warmup_batches=options.warmup_batches,
            start=start,
            leaves=options.leaves,
            turns=options.turns,
            devices=options.devices,
            overwrite=options.overwrite,
            cost=cost_of(folder_of(given)) if given else None,
            beside=_beside(options.beside),
            about=_about(options),
            on_start=announce,
            on_event=progress.on_event,
            should_stop=stop.requested,
            **asdict(config),
        )
    said = ", ".join(
        f"{name.replace('_', ' ')} {value:.2f} %"
        for name, value in distilled.achieved.items()
    )
    console.print(f"{said}; wrote {distilled.path}")
    return 0


def _student(text: str, teacher: Classifier, seed: int) -> Classifier:
    """Load the student, or make one that sees images as its teacher does."""
    if "=" in text:
        return load_network(text)
    seen = replace(Facts.of(teacher.spec), narrowed=None)
    return make_classifier(seen.applied(classifier_spec(text)), seed)


def _beside(given: Sequence[str]) -> dict[str, Path]:
    found = {}
    for text in given:
        name, _, folder = text.partition("=")
        if not name or not folder or name in found:
            raise ConfigError(
                f"--beside {text!r}: expected NAME=FOLDER, each name once, e.g. "
                "real=runs/control"
            )
        found[name] = Path(folder).expanduser()
    return found


def _about(options: Distill) -> dict[str, Any]:
    """What the card says of the sets, by the names that they were given."""
    sets = {"data": options.data, "test": options.test}
    named = {name: source for name, source in sets.items() if source is not None}
    return {**named, "command": command_line("distill")}


def _test(options: Distill, teacher: Classifier) -> LabelledImages | None:
    data, test, split = options.data, options.test, options.test_split
    if (source := test or data) is None:
        if split != "test":
            raise ConfigError("--test-split is a split of --test SET: give that too")
        return None
    there = data is None or has_tests(data, options.split, test, split)
    # What was asked for and is missing is refused where it is read.
    if not there and test is None and split == "test":
        return None
    return load_images(source, split, teacher.spec)
