"""The folder that a run leaves behind."""

import json
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jinv.atomic import write_json
from jinv.configuration import first_difference
from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import BatchDone, Event, Frame, Logged, Place
from jinv.engine.run import Outcome
from jinv.errors import FolderError
from jinv.inversion.job import Job, Result
from jinv.metrics.verifier import judge
from jinv.models.classifier import Classifier
from jinv.report.curves import plot_curves
from jinv.report.evolution import save_evolution
from jinv.report.page import write_page
from jinv.report.pictures import enlarge, grid, save_images, to_uint8

_OURS = (
    "config.json",
    "summary.json",
    "metrics.jsonl",
    "images",
    "frames",
    "checkpoint",
    "grid.png",
    "curves.png",
    "evolution.webp",
    "index.html",
)
_FRAME_IMAGES = 40
"""Images shown in each frame of the evolution."""


class RunFolder:
    """Writes what a run yields, event by event, and sums it up in the end."""

    def __init__(self, path: Path, job: Job, *, resume: bool, overwrite: bool):
        """Take a folder for a job.

        Args:
            path: The folder; made if missing.
            job: What will run.
            resume: Go on with the run that the folder holds, if it holds one.
            overwrite: Remove the run that the folder holds.

        Raises:
            FolderError: The folder holds something that neither allows.
        """
        self.path, self.job = path, job
        inversion = job.describe()
        _admit(path, inversion, resume, overwrite)
        (path / "images").mkdir(parents=True, exist_ok=True)
        (path / "frames").mkdir(exist_ok=True)
        versions = {name: version(name) for name in ("jax", "flax", "optax", "numpy")}
        config = {
            "inversion": inversion,
            "execution": vars(job.execution),
            "versions": {"jinv": version("jinv"), **versions},
        }
        write_json(path / "config.json", config)
        self.checkpoints = Checkpoints(path / "checkpoint")
        self._forget_after(self.checkpoints.notes() if resume else None)

    def on_event(self, event: Event) -> None:
        """Write down what the engine reports."""
        match event:
            case Logged(row=row):
                with (self.path / "metrics.jsonl").open("a") as file:
                    file.write(json.dumps(row) + "\n")
            case Frame(place=place, inputs=inputs):
                # Pictures of all stages are laid out alike.
                size = self.job.classifier.spec.input_size
                images = enlarge(self._images(inputs[:_FRAME_IMAGES]), size)
                picture = self._grid(images, self.job.labels[: len(images)])
                name = f"{place.stage:02d}_{place.step:07d}.png"
                picture.save(self.path / "frames" / name)
            case BatchDone(place=place, inputs=inputs):
                numbers = self.job.numbers_of(place.batch)
                images = self._images(inputs)
                classes = self.job.classifier.spec.classes
                names = [classes[i] for i in self.job.labels_of(numbers, images)]
                save_images(self.path / "images", images, names, numbers.start)

    def finish(
        self,
        status: str,
        seconds: float,
        outcome: Outcome | None,
        verifier: Classifier | None,
        extra: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Judge the images as they lie on disk, draw the figures, write the page.

        Args:
            status: "finished", "interrupted" or "diverged".
            seconds: Time since the program started.
            outcome: The bill of the run, if it came to its end.
            verifier: A network that took no part in the inversion, if any.
            extra: More facts for the summary.

        Returns:
            What `summary.json` holds.
        """
        images, labels = self.load_images()
        rows = self.rows()
        classes = self.job.classifier.spec.classes
        judges = {"teacher": self.job.classifier, "verifier": verifier}
        verdicts = {
            role: judge(network, images, labels, classes)
            if network and len(images)
            else None
            for role, network in judges.items()
        }
        summary = {
            "status": status,
            "model": self.job.classifier.spec.name,
            "method": type(self.job.method).__name__,
            "images": len(images),
            "classes": [classes[label] for label in sorted(set(labels.tolist()))],
            **verdicts,
            **_final_terms(rows),
            "seconds": {"total": seconds},
            **extra,
        }
        if outcome is not None:
            summary["seconds"] |= {
                "compiling": outcome.compiling,
                "running": outcome.running,
            }
            summary["classifier_passes"] = outcome.passes
        write_json(self.path / "summary.json", summary)
        if len(images):
            self._grid(images, labels).save(self.path / "grid.png")
        plot_curves(self.path / "curves.png", rows, self.job.procedure.lasting)
        self._save_evolution()
        write_page(self.path)
        return summary

    def close(self) -> None:
        """Remove what only a resumed run would need."""
        self.checkpoints.close()
        for name in ("checkpoint", "frames"):
            shutil.rmtree(self.path / name, ignore_errors=True)

    def load_images(self) -> tuple[np.ndarray, np.ndarray]:
        """Images on disk (images, height, width, channels), uint8, and their labels."""
        paths = sorted((self.path / "images").glob("*.png"))
        if not paths:
            return np.zeros((0, 0, 0, 3), np.uint8), np.zeros(0, np.int32)
        images = np.stack([np.asarray(Image.open(path)) for path in paths])
        # Files of grey images have no axis of channels.
        images = images.reshape(*images.shape[:3], -1)
        numbers = [int(path.name.split("_")[0]) for path in paths]
        return images, self.job.labels_of(numbers, images)

    def rows(self) -> list[dict[str, Any]]:
        """The log so far."""
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines()]

    def _images(self, inputs: np.ndarray) -> np.ndarray:
        return to_uint8(self.job.classifier.denormalise(inputs))

    def _grid(self, images: np.ndarray, labels: np.ndarray) -> Image.Image:
        return grid(images, labels.tolist(), self.job.classifier.spec.classes)

    def _save_evolution(self) -> None:
        frames = sorted((self.path / "frames").glob("*.png"))
        if frames:
            several = len({frame.stem[:2] for frame in frames}) > 1
            captions = []
            for frame in frames:
                stage, step = map(int, frame.stem.split("_"))
                captions.append(
                    f"stage {stage + 1}, step {step}" if several else f"step {step}"
                )
            pictures = [Image.open(frame).convert("RGB") for frame in frames]
            save_evolution(self.path / "evolution.webp", pictures, captions)

    def _forget_after(self, notes: dict[str, Any] | None) -> None:
        """Drop what was written after the checkpoint that will be resumed from."""
        here = ("batch", "stage", "step")
        # Rehearsals have negative numbers.
        limit = tuple(notes[name] for name in here) if notes else (-float("inf"),)
        kept = [
            row for row in self.rows() if tuple(row[name] for name in here) <= limit
        ]
        text = "".join(json.dumps(row) + "\n" for row in kept)
        (self.path / "metrics.jsonl").write_text(text)


def save_run(
    result: Result,
    path: str | Path,
    *,
    verifier: Classifier | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the result of `jinv.invert` as the command line would have.

    Args:
        result: What was computed.
        path: The folder.
        verifier: A network that took no part in the inversion, to judge the images.
        overwrite: Whether to replace a run that the folder holds.

    Returns:
        The page, `index.html`.

    Raises:
        FolderError: The folder is not free.
    """
    folder = RunFolder(Path(path), result.job, resume=False, overwrite=overwrite)
    names = [result.job.classifier.spec.classes[label] for label in result.labels]
    save_images(folder.path / "images", result.images, names)
    for row in result.log:
        folder.on_event(Logged(Place(row["batch"], row["stage"], row["step"]), row))
    seconds = result.outcome.compiling + result.outcome.running
    folder.finish("finished", seconds, result.outcome, verifier, {})
    folder.close()
    return folder.path / "index.html"


def _admit(path: Path, inversion: dict, resume: bool, overwrite: bool) -> None:
    if resume and overwrite:
        raise FolderError("give --resume or --overwrite, not both")
    if path.exists() and not path.is_dir():
        raise FolderError(f"{path} is a file: choose another --out")
    if not path.exists() or not any(path.iterdir()):
        return
    config = path / "config.json"
    if not config.is_file():
        raise FolderError(
            f"{path} holds files, but no run of jinv: choose another --out"
        )
    if overwrite:
        for name in _OURS:
            target = path / name
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
        return
    if not resume:
        raise FolderError(
            f"{path} already holds a run: give --resume to go on with it, --overwrite "
            "to replace it, or another --out"
        )
    found = json.loads(config.read_text())["inversion"]
    if difference := first_difference(found, inversion):
        raise FolderError(
            f"{path} holds a run of another configuration ({difference}): give the "
            "same options, --overwrite, or another --out"
        )


def _final_terms(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Each term at the end of each batch's last stage, averaged over batches."""
    if not rows:
        return {}
    kept = [row for row in rows if row["batch"] >= 0] or rows
    last = list({row["batch"]: row for row in kept}.values())
    terms = {
        name: {
            kind: float(np.mean([row["terms"][name][kind] for row in last]))
            for kind in ("raw", "weighted")
        }
        for name in last[0]["terms"]
    }
    for term in terms.values():
        term["weight"] = term["weighted"] / term["raw"] if term["raw"] else 0.0
    return {"loss": float(np.mean([row["loss"] for row in last])), "terms": terms}
