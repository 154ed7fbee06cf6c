"""The folder in which a synthetic set grows, and which becomes the set."""

import fcntl
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np

from jinv.atomic import replacing, write_json
from jinv.configuration import first_difference
from jinv.data.exporting import Description, Example, export, remove_exported
from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import BatchDone, Event, Logged
from jinv.errors import ConfigError, FolderError
from jinv.inversion.job import Job
from jinv.report.pictures import grid, save_picture, to_uint8
from jinv.synthesis.card import write_card
from jinv.synthesis.recipe import Facts, Recipe

_SAMPLE = 100
"""Images on the set's picture."""


class SyntheticSet:
    """Keeps each finished batch as a part; makes the set of them when all are there.

    Any number of processes may work on one folder, each on its own shard of the
    batches. While they do it holds `config.json`, `parts/` (a file for each finished
    batch, complete or absent), `preview.png` and a checkpoint of each process; in the
    end `config.json`, the set in the form asked for, `README.md` (its card),
    `grid.png` and `summary.json`. All but `summary.json` depends on the recipe alone.
    """

    def __init__(self, path: Path, recipe: Recipe, *, overwrite: bool = False):
        """Take a folder for a set, or join those who work on the same one.

        Args:
            path: The folder; made if missing.
            recipe: What to make.
            overwrite: Remove the set that the folder holds, finished or not.

        Raises:
            FolderError: The folder holds something else.
        """
        self.path, self.recipe = path, recipe
        self._parts = path / "parts"
        self._rows: dict[int, dict[str, Any]] = {}
        self._steps: dict[tuple[int, int], int] = {}
        self._mark = time.monotonic()
        _admit(path, recipe, overwrite)
        if not self.complete:
            self._parts.mkdir(exist_ok=True)

    @property
    def complete(self) -> bool:
        """Whether the set is finished."""
        return (self.path / "summary.json").is_file()

    def missing(self, shard: tuple[int, int] = (0, 1)) -> list[int]:
        """Batches that are not done yet.

        Args:
            shard: (i, n): of every n batches, the one that leaves i.

        Raises:
            ConfigError: Each batch builds on the one before, so none can be left out.
        """
        if shard[1] > 1 and self.recipe.job.procedure.lasting:
            raise ConfigError(
                f"with {type(self.recipe.job.method).__name__}, each batch builds on "
                "the one before: leave --shard out, or make several sets with a --seed "
                "each"
            )
        if self.complete:
            return []
        batches = range(shard[0], self.recipe.job.batches, shard[1])
        return [batch for batch in batches if not self._part(batch).is_file()]

    def checkpoints(self, shard: tuple[int, int]) -> Checkpoints:
        """Where the process that works on a shard keeps its state."""
        return Checkpoints(self.path / f"checkpoint-{shard[0]}-of-{shard[1]}")

    def on_event(self, event: Event) -> None:
        """Write down what the engine reports."""
        match event:
            case Logged(place=place, row=row):
                self._rows[place.batch] = row
                self._steps[place.batch, place.stage] = place.step
            case BatchDone(place=place, inputs=inputs, complete=True):
                self._write_part(place.batch, inputs)

    def finish(self, shard: tuple[int, int] = (0, 1)) -> dict[str, Any] | None:
        """Make the set of its parts, if all are there.

        Returns:
            What `summary.json` holds; None while other processes are at work.
        """
        shutil.rmtree(self.path / "checkpoint-{}-of-{}".format(*shard), True)
        with (self.path / ".lock").open("w") as lock:
            # Of processes that finish together, one makes the set; released by the
            # system, should it be killed.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.complete:
                if self.missing():
                    return None
                self._export()
            self._tidy()
        return json.loads((self.path / "summary.json").read_text())

    def _part(self, batch: int) -> Path:
        return self._parts / f"{batch:06d}.npz"

    def _write_part(self, batch: int, inputs: np.ndarray) -> None:
        job = self.recipe.job
        numbers = job.numbers_of(batch)
        images = to_uint8(job.classifier.denormalise(inputs))
        labels = job.labels_of(numbers, images)
        terms = self._rows[batch]["terms"] if batch in self._rows else {}
        shared = {
            f"batch_{name}": float(f"{term['raw']:.6g}") for name, term in terms.items()
        }
        facts = [
            {"label": int(label), "seed": job.seed, "batch": batch, **fact, **shared}
            for label, fact in zip(
                labels, self.recipe.inspect(images, labels), strict=True
            )
        ]
        bill = {"seconds": time.monotonic() - self._mark, "passes": self._passes(batch)}
        self._mark = time.monotonic()
        picture = grid(images[:_SAMPLE], labels[:_SAMPLE].tolist(), self.recipe.classes)
        save_picture(self.path / "preview.png", picture)
        # Last: with it, another process may make the set, and remove all else.
        with replacing(self._part(batch)) as partial, partial.open("wb") as file:
            np.savez(
                file,
                images=images,
                facts=np.asarray(json.dumps(facts)),
                bill=np.asarray(json.dumps(bill)),
            )

    def _passes(self, batch: int) -> int:
        """Images that went through the classifier for a batch.

        Rehearsals are on the first one's bill.
        """
        job = self.recipe.job
        rehearsals = job.procedure.rehearsals if batch == 0 else 0
        stages = job.procedure.stages
        steps = sum(
            self._steps.get((batch, number), stage.steps)
            for number, stage in enumerate(stages)
        )
        return (1 + rehearsals) * steps * (job.batch_size + len(job.company))

    def _export(self) -> None:
        recipe = self.recipe
        facts, bills = self._facts_and_bills()
        kept = recipe.select(facts)
        if not kept:
            raise ConfigError(
                f"the verifier accepts none of the {len(facts)} images: nothing is "
                f"left to export; the candidates stay in {self._parts}"
            )
        spec = recipe.job.classifier.spec
        description = Description(
            recipe.split, recipe.classes, len(kept), spec.input_size, spec.channels
        )
        export(recipe.form, self.path, description, self._examples(facts, kept))
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
            "versions": {name: version(name) for name in ("jinv", "jax", "flax")},
        }
        write_card(self.path / "README.md", recipe, summary)
        write_json(self.path / "summary.json", summary)

    def _facts_and_bills(self) -> tuple[list[Facts], list[dict[str, Any]]]:
        facts, bills = [], []
        for batch in range(self.recipe.job.batches):
            with np.load(self._part(batch)) as part:
                facts += json.loads(str(part["facts"]))
                bills.append(json.loads(str(part["bill"])))
        return facts, bills

    def _examples(self, facts: list[Facts], kept: list[int]) -> Iterator[Example]:
        """Images and facts in order, with one part in memory at a time."""
        batch, images = -1, np.empty(0)
        for number in kept:
            wanted, position = divmod(number, self.recipe.job.batch_size)
            if wanted != batch:
                with np.load(self._part(wanted)) as part:
                    batch, images = wanted, part["images"]
            rest = {"image": number, **facts[number]}
            label = rest.pop("label")
            yield Example(number, images[position], label, rest)

    def _tidy(self) -> None:
        # Not the checkpoints of other processes, which may be about to end.
        shutil.rmtree(self._parts, ignore_errors=True)
        for name in ("preview.png", ".lock"):
            (self.path / name).unlink(missing_ok=True)


def synthesize(
    job: Job,
    path: str | Path,
    *,
    overwrite: bool = False,
    on_event: Callable[[Event], None] = lambda _: None,
    **options: Any,
) -> dict[str, Any]:
    """Make a set, or go on with it, as the command line would.

    Args:
        job: From `make_job`.
        path: The set's folder.
        overwrite: Remove the set that the folder holds, finished or not.
        on_event: Told what the engine reports.
        **options: More fields of `Recipe`: `form`, `verifier`, `best`, …

    Returns:
        What `summary.json` holds.

    Raises:
        ConfigError: Something cannot work.
        FolderError: The folder holds something else.
    """
    growing = SyntheticSet(Path(path), Recipe(job, **options), overwrite=overwrite)

    def note(event: Event) -> None:
        growing.on_event(event)
        on_event(event)

    with closing(growing.checkpoints((0, 1))) as checkpoints:
        job.run(note, checkpoints=checkpoints, resume=True, numbers=growing.missing())
    return cast(dict[str, Any], growing.finish())


def _admit(path: Path, recipe: Recipe, overwrite: bool) -> None:
    config = path / "config.json"
    if path.exists() and not path.is_dir():
        raise FolderError(f"{path} is a file: choose another --out")
    if path.is_dir() and any(path.iterdir()) and not _is_ours(path):
        raise FolderError(
            f"{path} holds files, but no synthetic set: choose another --out"
        )
    if overwrite and config.is_file():
        _clear(path)
    path.mkdir(parents=True, exist_ok=True)
    wanted = {"set": recipe.describe()}
    draft = path / f".config.{os.getpid()}.json"
    write_json(draft, wanted)
    try:
        # Of processes that start together, one comes first; the others compare.
        os.link(draft, config)
    except FileExistsError:
        found = json.loads(config.read_text())
        if difference := first_difference(found["set"], wanted["set"]):
            raise FolderError(
                f"{path} holds a set of another configuration ({difference}): give "
                "the same options, --overwrite, or another --out"
            ) from None
    finally:
        draft.unlink()


def _clear(path: Path) -> None:
    """Remove a set and what is left of its making, but nothing else."""
    remove_exported(
        path, json.loads((path / "config.json").read_text())["set"]["split"]
    )
    for name in (
        "parts",
        "checkpoint-*",
        "preview.png",
        "grid.png",
        "config.json",
        "summary.json",
        "README.md",
        ".lock",
    ):
        for found in path.glob(name):
            shutil.rmtree(found) if found.is_dir() else found.unlink()


def _is_ours(path: Path) -> bool:
    config = path / "config.json"
    if not config.is_file():
        # Another process may have made the folder a moment ago.
        return all(entry.name[0] == "." for entry in path.iterdir())
    return "set" in json.loads(config.read_text())


def _per_class(recipe: Recipe, facts: list[Facts]) -> dict[str, int]:
    counts = Counter(fact["label"] for fact in facts)
    return {recipe.classes[label]: counts[label] for label in sorted(counts)}


def _verdicts(recipe: Recipe, facts: list[Facts]) -> dict[str, Any]:
    networks = {"teacher": recipe.job.classifier, "verifier": recipe.verifier}
    return {
        role: {
            "name": network.spec.name,
            "sha256": network.sha256,
            "top1": float(np.mean([fact[f"{role}_accepts"] for fact in facts])),
        }
        for role, network in networks.items()
        if network
    }
