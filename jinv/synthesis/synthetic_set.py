"""The folder in which a synthetic set grows, and which becomes the set."""

import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from jinv.atomic import replacing, write_json
from jinv.checked import checked
from jinv.data.exporting import EXPORTED, Description, Example, export, remove_split
from jinv.data.npz_set import NPZ
from jinv.data.soft_labels import (
    SOFT_LABELS,
    SoftLabels,
    half,
    soft_labels_path,
    write_soft_labels,
)
from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import BatchDone, Cost, Event, Logged, Made
from jinv.engine.notes import run_checkpoints
from jinv.errors import ConfigError
from jinv.folders import Folder, Held, Kind
from jinv.former import renewed
from jinv.inversion.job import Job
from jinv.json_text import parse_json
from jinv.locks import Lock
from jinv.report.grid import grid
from jinv.report.pictures import save_picture
from jinv.suggest import check_options
from jinv.synthesis.card import write_card
from jinv.synthesis.recipe import PARTS, Recipe, Row

SET = Kind(
    "synthetic set",
    "set",
    owned=(*EXPORTED, SOFT_LABELS, "README.md", "grid.png"),
    last="summary.json",
    scraps=(PARTS, "checkpoint-*", "preview.png"),
    shared=True,
    clear=lambda path, described: remove_split(path, described.get("split")),
)
_SAMPLE = 100
"""Images on the set's picture."""


class StoredBatch(NamedTuple):
    """A finished batch, as it lies in the folder of its set.

    Attributes:
        images: Images (images, height, width, channels), uint8.
        labels: Labels (images,), int32.
        cost: Cost of the batch.
    """

    images: np.ndarray
    labels: np.ndarray
    cost: Cost


class SyntheticSet(Held):
    """Keeps each finished batch as a part; makes the set of them when all are there.

    Any number of processes may work on one folder, each on its own shard of the
    batches. While they do it holds `config.json`, `parts/` (a file for each finished
    batch, complete or absent), `preview.png` and a checkpoint of each process; in the
    end `config.json`, the set in the form asked for, its soft labels where they are
    wanted, `README.md` (its card), `grid.png` and `summary.json`. All but
    `summary.json` depends on the recipe alone.
    """

    def __init__(
        self,
        path: Path,
        recipe: Recipe,
        shard: tuple[int, int] = (0, 1),
        *,
        overwrite: bool = False,
    ):
        """Take a folder for a set, or join those who work on the same one.

        Args:
            path: Path of the folder; made if missing.
            recipe: Recipe of the set.
            shard: Pair (i, n): of every n batches, the one that leaves i is made here.
            overwrite: Whether to remove the set that the folder holds, finished or not.

        Raises:
            ConfigError: Each batch builds on the one before, so none can be left out.
            FolderError: The folder holds something else, or another process works on
                this shard.
        """
        if shard[1] > 1 and recipe.job.procedure.passes_on:
            raise ConfigError(
                f"with {type(recipe.job.method).__name__}, each batch builds on the "
                "one before: leave --shard out, or make several sets with a --seed each"
            )
        self.path, self.recipe, self.shard = path, recipe, shard
        self._parts = path / PARTS
        self._row: dict[str, Any] = {}
        """Last row of the log."""
        self._folder = Folder(path, SET, recipe.describe(), overwrite=overwrite)
        self._place: Lock | None = None
        name = "{}-of-{}".format(*shard)
        self.checkpoints: Checkpoints = run_checkpoints(path / f"checkpoint-{name}")
        """Checkpoints in which this process keeps its state."""
        try:
            self._place = self._folder.member(f"shard-{name}")
            if not self.complete:
                self._parts.mkdir(exist_ok=True)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the folder; who is last in a finished one removes the parts."""
        self.checkpoints.close()
        if self._place is not None:
            self._place.release()
        self._folder.close()

    @property
    def complete(self) -> bool:
        """Whether the set is finished."""
        return self._folder.finished

    def missing(self) -> list[int]:
        """List the batches of this shard that are not done yet."""
        return self._missing(*self.shard)

    def left(self) -> int:
        """Count the batches of all shards that are not done yet."""
        return len(self._missing(0, 1))

    def _missing(self, first: int, step: int) -> list[int]:
        if self.complete:
            return []
        batches = range(first, self.recipe.job.batch_count, step)
        return [batch for batch in batches if not self._is_done(batch)]

    def on_event(self, event: Event) -> None:
        """Write down what the engine reports."""
        match event:
            case Logged(row=row):
                self._row = row
            case BatchDone(position=position, made=made, complete=True, cost=cost):
                self._write_part(position.batch, made, cost)

    def read(self, batch: int) -> StoredBatch:
        """Read a finished batch of a set that is not finished."""
        with np.load(self._part(batch)) as part:
            facts = json.loads(str(part["facts"]))
            labels = [renewed(fact, "fact")["label"] for fact in facts]
            bill = json.loads(str(part["bill"]))
            cost = Cost(bill["passes"], bill["seconds"])
            return StoredBatch(part["images"], np.asarray(labels, np.int32), cost)

    def finish(self) -> dict[str, Any] | None:
        """Make the set of its parts, if all are there.

        Returns:
            What `summary.json` holds; None while other processes are at work.
        """
        # Of processes that end together, one makes the set.
        with self._folder.turn():
            if not self.complete:
                if self.left():
                    return None
                self._export()
        return self._folder.last

    def _part(self, batch: int) -> Path:
        return self._parts / f"{batch:06d}.npz"

    def _is_done(self, batch: int) -> bool:
        """Whether a batch's part is there, and was not torn by a power loss."""
        try:
            with zipfile.ZipFile(self._part(batch)) as part:
                names = ["images", "facts", "bill"]
                names += ["logits"] if self.recipe.soft_labels else []
                known = {f"{name}.npy" for name in names} <= set(part.namelist())
                return known and part.testzip() is None
        except (FileNotFoundError, zipfile.BadZipFile, EOFError):
            return False

    def _write_part(self, batch: int, made: Made, cost: Cost) -> None:
        job, images, labels = self.recipe.job, made.images, made.labels
        terms = self._row["terms"] if self._row.get("batch") == batch else {}
        shared = {
            f"batch_{name}": float(f"{term['raw']:.6g}") for name, term in terms.items()
        }
        found, logits = self.recipe.inspect(images, labels)
        facts = [
            {"label": int(label), "seed": job.seed, "batch": batch, **fact, **shared}
            for label, fact in zip(labels, found, strict=True)
        ]
        bill = {"seconds": cost.seconds, "passes": cost.passes}
        arrays: dict[str, Any] = {
            "images": images,
            "facts": json.dumps(facts),
            "bill": json.dumps(bill),
        }
        if self.recipe.soft_labels:
            arrays["logits"] = half(logits)
        picture = grid(images[:_SAMPLE], labels[:_SAMPLE].tolist(), self.recipe.classes)
        save_picture(self.path / "preview.png", picture)
        # Last: with it, another process may make the set, and remove all else.
        with replacing(self._part(batch)) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)

    def _export(self) -> None:
        recipe = self.recipe
        facts, bills = self._facts_and_bills()
        kept = recipe.select(facts)
        if not kept:
            raise ConfigError(
                f"the judge accepts none of the {len(facts)} images: nothing is "
                f"left to export; the candidates stay in {self._parts}"
            )
        spec = recipe.job.classifier.spec
        description = Description(
            recipe.split, recipe.classes, len(kept), spec.input_size, spec.channels
        )
        export(recipe.form, self.path, description, self._examples(facts, kept))
        stored = self._write_soft_labels(kept) if recipe.soft_labels else {}
        sample = list(self._examples(facts, kept[:_SAMPLE]))
        picture = grid(
            np.stack([example.image for example in sample]),
            [example.label for example in sample],
            recipe.classes,
        )
        save_picture(self.path / "grid.png", picture)
        chosen = [facts[number] for number in kept]
        bill = {name: sum(b[name] for b in bills) for name in ("seconds", "passes")}
        summary = {
            "images": len(kept),
            "candidates": len(facts),
            "classes": _per_class(recipe, chosen),
            **_verdicts(recipe, chosen),
            "classifier_passes": bill["passes"],
            "seconds_of_all_batches": bill["seconds"],
            **stored,
            "versions": {name: version(name) for name in ("jinv", "jax", "flax")},
        }
        write_card(self.path / "README.md", recipe, summary)
        write_json(self.path / "summary.json", summary)

    def _write_soft_labels(self, kept: list[int]) -> dict[str, Any]:
        """Store what the teacher said of the images kept; what the summary says."""
        teacher, logits = self.recipe.job.classifier, []
        for batch in range(self.recipe.job.batch_count):
            with np.load(self._part(batch)) as part:
                logits.append(part["logits"])
        path = soft_labels_path(self.path, self.recipe.split)
        found = np.concatenate(logits)[kept]
        name, sha256 = teacher.spec.name, teacher.checksum
        write_soft_labels(path, SoftLabels(found, self.recipe.classes, name, sha256))
        return {"soft_labels": {"file": path.name, "bytes": path.stat().st_size}}

    def _facts_and_bills(self) -> tuple[list[Row], list[dict[str, Any]]]:
        facts, bills = [], []
        for batch in range(self.recipe.job.batch_count):
            with np.load(self._part(batch)) as part:
                found = json.loads(str(part["facts"]))
                facts += [renewed(fact, "fact") for fact in found]
                bills.append(json.loads(str(part["bill"])))
        return facts, bills

    def _examples(self, facts: list[Row], kept: list[int]) -> Iterator[Example]:
        """Read images and facts in order, with one part in memory at a time."""
        batch, images = -1, np.empty(0)
        for number in kept:
            wanted, position = divmod(number, self.recipe.job.batch_size)
            if wanted != batch:
                with np.load(self._part(wanted)) as part:
                    batch, images = wanted, part["images"]
            rest = {"image": number, **facts[number]}
            label = rest.pop("label")
            yield Example(number, images[position], label, rest)


@checked
def synthesize(
    job: Job,
    path: Path | str,
    *,
    overwrite: bool = False,
    on_event: Callable[[Event], None] = lambda _: None,
    **options: Any,
) -> dict[str, Any]:
    """Make a synthetic set, or go on with it, as the command line would.

    Args:
        job: Job from `make_job`.
        path: Path of the set's folder.
        overwrite: Whether to remove the set that the folder holds, finished or not.
        on_event: Told what the engine reports.
        **options: More fields of `Recipe`: `form`, `judge`, `best`, …

    Returns:
        What `summary.json` holds.

    Raises:
        ConfigError: Something cannot work.
        FolderError: The folder holds something else.

    Example:
        >>> import tempfile
        >>> import jinv
        >>> network = jinv.make_classifier(jinv.classifier_spec("mnist_fc"))
        >>> job = jinv.make_job(network, "3,8", images=2, steps=(2,))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     synthesize(job, Path(folder) / "set", form="npz")["classes"]
        {'3': 1, '8': 1}
    """
    recipe = _recipe(job, options)
    with SyntheticSet(Path(path), recipe, overwrite=overwrite) as growing:

        def note(event: Event) -> None:
            growing.on_event(event)
            on_event(event)

        job.run(
            note,
            checkpoints=growing.checkpoints,
            resume=True,
            numbers=growing.missing(),
        )
        return cast(dict[str, Any], growing.finish())


def folder_of(source: str) -> Path:
    """Find the folder of a set of ours, which is given, or the file in it."""
    path = Path(source).expanduser()
    return path.parent if path.name == NPZ else path


def cost_of(path: Path) -> Cost | None:
    """Tell what a finished set of ours has cost, by its summary.

    Args:
        path: Path of the set's folder; None is the answer for anything else.
    """
    try:
        found = parse_json((path / "summary.json").read_text("utf-8"))
        return Cost(
            int(found["classifier_passes"]), float(found["seconds_of_all_batches"])
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _recipe(job: Job, options: dict[str, Any]) -> Recipe:
    known = [field.name for field in fields(Recipe) if field.name != "job"]
    check_options(options, known)
    return Recipe(job, **options)


def _per_class(recipe: Recipe, facts: list[Row]) -> dict[str, int]:
    counts = Counter(fact["label"] for fact in facts)
    return {recipe.classes[label]: counts[label] for label in sorted(counts)}


def _verdicts(recipe: Recipe, facts: list[Row]) -> dict[str, Any]:
    networks = {"teacher": recipe.job.classifier, "judge": recipe.judge}
    return {
        role: {
            "name": network.spec.name,
            "sha256": network.checksum,
            "top1": float(np.mean([fact[f"{role}_accepts"] for fact in facts])),
        }
        for role, network in networks.items()
        if network
    }
