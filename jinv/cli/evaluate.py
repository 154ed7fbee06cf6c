"""`jinv evaluate`: how good a set of images is, beside real ones and controls."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TextColumn
from rich.table import Table

from jinv.cli.networks import load_extractor, load_network
from jinv.console import make_console, remark
from jinv.data.labelled import ArrayImages, LabelledImages, SomeImages
from jinv.data.sets import batch_numbers_of, open_labelled
from jinv.devices import peak_memory_mib
from jinv.engine.compilation import keep_compiled_programs
from jinv.errors import ConfigError, DataError
from jinv.folders import Folder, description_of
from jinv.metrics.evaluation import Measurements, measure
from jinv.metrics.extraction import Extractor, extract, sample_positions
from jinv.metrics.judge import make_judge
from jinv.metrics.subject import Reference
from jinv.models.classifier import Classifier
from jinv.models.zoo import beyond_zoo
from jinv.report.evaluation_pictures import LookedAt
from jinv.report.evaluation_report import EVALUATION, write_report
from jinv.report.evaluation_table import table_rows
from jinv.synthesis.synthetic_set import SET, folder_of
from jinv.values import Count, Seed


@dataclass(frozen=True)
class Evaluate:
    """Measure how good a set of images is, beside real images and controls.

    Sets are folders {split}/CLASS/*.png, .npz files (x_SPLIT, y_SPLIT), folders that
    tfds wrote, or tfds:NAME. Networks are written NAME or NAME=WEIGHTS_FILE.
    """

    set: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SET")]
    """The set to evaluate."""
    real: str | None = None
    """Real images of the same classes; without them, only what needs none is
    measured."""
    judge: tuple[str, ...] = ()
    """Networks that say what they recognise: NAME or NAME=FILE, one or more."""
    extractor: str | None = None
    """The network whose features are compared; by default Inception-v3 as FID has it
    where its weights are on this machine, else the first judge, else the project's
    own CIFAR-10 network."""
    feature: str | None = None
    """Features to compare; by default those that the last dense layer reads."""
    stages: tuple[str, ...] = ()
    """Features that the t-SNE shows beside these; by default the last three stages."""
    also: tuple[str, ...] = ()
    """More sets for the same table, as TITLE=SET, e.g. prior-only=runs/prior."""
    noise: bool = True
    """Measure uniform noise too, as the lowest control."""
    split: str = "train"
    """Split of the set; "." where the folders of classes lie in it directly."""
    real_split: str = "train"
    """Split of the real images that sets are compared with."""
    real_images: Count | None = None
    """Real images that sets are compared with, at most; by default all."""
    control_split: str = "test"
    """Split of the real images that are measured like a set, as the highest control."""
    size: Count | None = None
    """Pixels to which images are cut; by default they are left as they are."""
    out: Path | None = None
    """Folder for the page; by default SET/evaluation, or runs/evaluate for a file."""
    seed: Seed = 0
    """Seed of resampling, and of images drawn to make sets equally large."""
    overwrite: bool = False
    """Replace the evaluation in --out."""


_OWN, _REAL, _NOISE = "this set", "real images ({})", "noise"
"""Titles of the rows that are not asked for by --also."""
_HOW = ("out", "overwrite")
"""Options on which no figure depends."""


def run(options: Evaluate) -> int:
    """Carry the command out; returns the exit status."""
    started = time.monotonic()
    console = make_console()
    keep_compiled_programs()
    judges = [load_network(text) for text in options.judge]
    also = [_titled(text) for text in options.also]
    _check_names(options, [judge.spec.name for judge in judges], also)
    extractor = load_extractor(
        options.extractor, options.feature, judges, options.stages
    )
    reader = _Reader(console, extractor, judges, options.seed)
    for source, split in (
        (options.set, options.split),
        *([(options.real, options.real_split)] if options.real else []),
        *((source, options.split) for _, source in also),
    ):
        reader.open(source, split, options.size)
    out = options.out or _default_out(options.set)
    networks = (extractor.classifier, *judges)
    facts = [beyond_zoo(network.spec).to_json() for network in networks]
    described = {
        **{name: value for name, value in asdict(options).items() if name not in _HOW},
        "extractor_sha256": extractor.classifier.origin,
        "judge_sha256": [judge.origin for judge in judges],
        **({"facts": facts} if any(facts) else {}),
    }
    with Folder(out, EVALUATION, described, overwrite=options.overwrite) as folder:
        if (evaluation := folder.last) is None:
            evaluation = _evaluate(options, reader, also, out, started)
        else:
            console.print(
                f"{out} holds this evaluation, finished: --overwrite measures anew, as "
                "it must be where the set has changed"
            )
    _print(evaluation, extractor, console)
    console.print(
        f"everything in {out}/index.html ({time.monotonic() - started:.0f} s)"
    )
    return 0


def _evaluate(
    options: Evaluate,
    reader: "_Reader",
    also: Sequence[tuple[str, str]],
    out: Path,
    started: float,
) -> dict[str, Any]:
    extractor, judges = reader.extractor, reader.judges
    evaluated = reader.look(_OWN, options.set, options.split, options.size)
    height, width = evaluated.images(np.arange(1)).shape[1:3]
    size = height if height == width else None
    real = reference = None
    if options.real:
        real = reader.look(
            "real images", options.real, options.real_split, size, options.real_images
        )
        reference = Reference.of(real.seen.features[extractor.feature])

    def measured(row: LookedAt) -> Measurements:
        # Scores depend on the number of images: all rows have as many, if they can.
        rng = np.random.default_rng(options.seed)
        some = sample_positions(len(row.seen), len(evaluated.seen), rng)
        return measure(
            row.seen.take(some),
            extractor.feature,
            reference,
            [make_judge(judge, row.classes) for judge in judges],
            seed=options.seed,
        )

    rows = {_OWN: measured(evaluated)}
    warnings = _partial_judges(options.set, extractor, judges)
    controls = [(title, source, options.split) for title, source in also]
    if options.real:
        title = _REAL.format(options.control_split)
        controls.insert(0, (title, options.real, options.control_split))
    for title, source, split in controls:
        try:
            rows[title] = measured(reader.look(title, source, split, size))
        except DataError as error:
            warnings.append(f"{title} is left out: {error}")
    if options.noise:
        rows[_NOISE] = measured(reader.noise(evaluated))
    return write_report(
        out,
        evaluated,
        real,
        rows,
        extractor,
        [make_judge(judge, evaluated.classes) for judge in judges],
        warnings,
        {
            "settings": {**asdict(options), "out": str(out)},
            "seconds": time.monotonic() - started,
            "peak_memory_mib": peak_memory_mib(),
        },
        options.seed,
    )


class _Reader:
    """Opens sets and shows them to the networks."""

    def __init__(
        self,
        console: Console,
        extractor: Extractor,
        judges: Sequence[Classifier],
        seed: int,
    ):
        self._console, self.extractor = console, extractor
        self.judges, self._seed = judges, seed
        # Where one network knows grey images only, all are shown the same ones.
        networks = (extractor.classifier, *judges)
        self._channels = min(network.spec.channels for network in networks)

    def open(
        self, source: str, split: str, size: int | None
    ) -> tuple[Sequence[str], LabelledImages]:
        """The classes and the images of a set; nothing is decoded yet."""
        classes = self.extractor.classifier.spec.classes
        return open_labelled(source, split, classes, size, self._channels)

    def look(
        self,
        title: str,
        source: str,
        split: str,
        size: int | None,
        most: int | None = None,
    ) -> LookedAt:
        classes, data = self.open(source, split, size)
        numbers = batch_numbers_of(source, split, len(data))
        if most is not None:
            data, numbers = SomeImages(data, most, self._seed), None
        return self._look(title, source, split, classes, data, numbers)

    def noise(self, like: LookedAt) -> LookedAt:
        shape = (len(like.seen), *like.images(np.arange(1)).shape[1:])
        images = np.random.default_rng(self._seed).integers(0, 256, shape, np.uint8)
        data = ArrayImages(images, like.seen.labels)
        return self._look(_NOISE, "uniform noise", "", like.classes, data)

    def _look(
        self,
        title: str,
        source: str,
        split: str,
        classes: Sequence[str],
        data: LabelledImages,
        batch_numbers: np.ndarray | None = None,
    ) -> LookedAt:
        started = time.monotonic()
        console = self._console
        text = TextColumn("{task.description}", markup=False)
        columns = text, *Bar.get_default_columns()[1:]
        with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task(title, total=len(data))
            seen = extract(
                data,
                self.extractor,
                self.judges,
                batch_numbers=batch_numbers,
                on_batch=lambda done, _: bar.update(task, completed=done),
            )
        console.print(
            f"{title}: {len(seen)} images seen ({time.monotonic() - started:.0f} s)"
        )
        return LookedAt(source, split, tuple(classes), data, seen)


def _partial_judges(
    source: str, extractor: Extractor, judges: Sequence[Classifier]
) -> list[str]:
    """A warning for each network from which a set of jinv's own was made."""
    inverted = description_of(folder_of(source), SET).get("weights_sha256")
    roles = [("extractor", extractor.classifier), *(("judge", j) for j in judges)]
    return [
        f"the {role} {network.spec.name} is the network that was inverted: images fit "
        "it by construction; choose one that took no part"
        for role, network in roles
        if network.sha256 == inverted
    ]


def _check_names(
    options: Evaluate, judges: Sequence[str], also: Sequence[tuple[str, str]]
) -> None:
    """Refuse names that would stand for two things: figures are kept by them."""
    for name in judges:
        if judges.count(name) > 1:
            raise ConfigError(
                f"--judge: two are called {name}, and figures are kept by name: "
                "evaluate twice, each into an --out of its own"
            )
    own = [_OWN] + [_NOISE] * options.noise
    own += [_REAL.format(options.control_split)] * bool(options.real)
    titles = [*own, *(title for title, _ in also)]
    for title, source in also:
        if titles.count(title) > 1:
            raise ConfigError(
                f"--also {title}={source}: {title!r} is the title of another row: "
                "choose another"
            )


def _titled(text: str) -> tuple[str, str]:
    title, equals, source = text.partition("=")
    if not (title and equals and source):
        raise ConfigError(f"--also {text!r}: expected TITLE=SET")
    return title, source


def _default_out(source: str) -> Path:
    path = Path(source).expanduser()
    return path / "evaluation" if path.is_dir() else Path("runs/evaluate")


def _print(evaluation: dict[str, Any], extractor: Extractor, console: Console) -> None:
    header, rows = table_rows(evaluation)
    table = Table(*header, title=f"features: {extractor.label}")
    for row in rows:
        table.add_row(*row)
    width = None if console.is_terminal else 220
    make_console(stderr=False, soft_wrap=False, width=width).print(table)
    for warning in evaluation["warnings"]:
        console.print(remark("warning", warning))
