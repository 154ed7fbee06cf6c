"""The folder that a run leaves behind."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jinv.atomic import write_json
from jinv.checked import checked
from jinv.engine.events import BatchDone, Event, Far, Frame, Logged
from jinv.engine.notes import Outcome, run_checkpoints
from jinv.errors import FolderError
from jinv.folders import Folder, Held, Kind
from jinv.inversion.invert import Result
from jinv.inversion.job import Job
from jinv.levels import to_uint8
from jinv.metrics import judge as judging
from jinv.metrics_log import METRICS, metrics_log
from jinv.models.classifier import Classifier
from jinv.report.curves import plot_curves
from jinv.report.evolution import save_evolution
from jinv.report.findings import FINDINGS, find
from jinv.report.grid import grid
from jinv.report.page import write_page
from jinv.report.pictures import (
    magnified,
    read_picture,
    save_images,
    save_picture,
    saved_images,
)

RUN = Kind(
    "run",
    "inversion",
    owned=(
        METRICS,
        "images",
        "grid.png",
        "curves.png",
        *(finding.picture[0] for finding in FINDINGS.values()),
        "evolution.webp",
        "index.html",
    ),
    last="summary.json",
    scraps=("checkpoint", "frames"),
)
_FRAME_IMAGES = 40
"""Images shown in each frame of the evolution."""


class RunFolder(Held):
    """Writes what a run yields, event by event, and sums it up in the end."""

    def __init__(self, path: Path, job: Job, *, overwrite: bool = False):
        """Take a folder for a job, or go on with it there.

        Args:
            path: Path of the folder; made if missing.
            job: Job that will run.
            overwrite: Whether to remove the run that the folder holds.

        Raises:
            FolderError: The folder holds something else, or its checkpoint cannot be
                read.
        """
        self.path, self.job = path, job
        versions = {name: version(name) for name in ("jax", "flax", "optax", "numpy")}
        more = {
            "execution": vars(job.execution),
            "versions": {"jinv": version("jinv"), **versions},
        }
        self._folder = Folder(path, RUN, job.describe(), overwrite=overwrite, more=more)
        self._log = metrics_log(path)
        self.checkpoints = run_checkpoints(path / "checkpoint")
        try:
            if not self.finished:
                (path / "images").mkdir(exist_ok=True)
                (path / "frames").mkdir(exist_ok=True)
                self._log.keep(self._is_settled())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the folder; of a finished run, remove what a resumed one needs."""
        self.checkpoints.close()
        self._folder.close()

    @property
    def begun(self) -> bool:
        """Whether the folder held this run already, finished or not."""
        return self._folder.begun

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self._folder.finished

    @property
    def summary(self) -> dict[str, Any] | None:
        """Summary of a finished run; None before."""
        return self._folder.last

    def missing(self) -> list[int]:
        """List the batches that are not done, or of whose images one cannot be read.

        The batch that the checkpoint serves comes first.
        """
        notes = self.checkpoints.notes()
        done = max(0, notes["batch"]) if notes else 0
        files = self._files()
        lost = [batch for batch in range(done) if not self._has_images(batch, files)]
        if lost and self.job.procedure.passes_on:
            return list(range(self.job.batch_count))
        return [*range(done, self.job.batch_count), *lost]

    def on_event(self, event: Event) -> None:
        """Write down what the engine reports."""
        match event:
            case Logged(row=row):
                self._log.append(row)
            case Frame(position=position, made=made):
                # Pictures of all phases are laid out alike.
                size = self.job.shape[:2]
                images = magnified(made.images[:_FRAME_IMAGES], size)
                labels = made.labels[:_FRAME_IMAGES]
                picture = self._grid(made.numbers[:_FRAME_IMAGES], images, labels)
                name = f"{position.phase:02d}_{position.step:07d}.png"
                save_picture(self.path / "frames" / name, picture)
            case BatchDone(made=made):
                self.keep(made.numbers, made.images, made.names)

    def keep(self, numbers: range, images: np.ndarray, names: Sequence[str]) -> None:
        """Write images (images, height, width, channels), uint8, by their names."""
        before = self._files()
        folder = self.path / "images"
        for number, path in zip(
            numbers, save_images(folder, images, names, numbers.start), strict=True
        ):
            # What is named by what it shows may show something else now.
            for other in before.get(number, ()):
                if other != path:
                    other.unlink()

    def finish(
        self,
        status: str,
        seconds: float,
        outcome: Outcome | None,
        judge: Classifier | None,
        extra: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Judge the images as they lie on disk, plot the curves, write the page.

        Args:
            status: "finished", "interrupted" or "diverged".
            seconds: Time since the program started.
            outcome: Bill of the run, if it came to its end.
            judge: Network that took no part in the inversion, if any.
            extra: More facts for the summary.

        Returns:
            What `summary.json` holds.
        """
        numbers, images = self._load()
        request, classes = self.job.request, self.job.classifier.spec.classes
        labels = request.labels_of(numbers, images)
        rows = self._log.rows()
        summary = {
            "status": status,
            "model": self.job.classifier.spec.name,
            "method": type(self.job.method).__name__,
            "images": len(images),
            "classes": [classes[label] for label in sorted(set(labels.tolist()))],
            "teacher": _verdict(self.job.classifier, images, labels, classes),
            "judge": _verdict(judge, images, labels, classes),
            **_final_terms(rows, self.job.weights),
            "seconds": {"total": seconds},
            **extra,
        }
        if outcome is not None:
            summary["seconds"] |= {
                "compiling": outcome.compiling,
                "running": outcome.running,
            }
            summary["classifier_passes"] = outcome.passes
        if len(images):
            save_picture(self.path / "grid.png", self._grid(numbers, images, labels))
            summary |= find(self.path, request, numbers, images)
        plot_curves(self.path / "curves.png", rows, self.job.procedure.passes_on)
        self._save_evolution()
        names = zip(numbers, request.names_of(numbers, labels), strict=True)
        write_page(self.path, summary, dict(names))
        # Last: with it the run is finished.
        write_json(self.path / RUN.last, summary)
        return summary

    def load_images(self) -> tuple[np.ndarray, np.ndarray]:
        """Read images (images, height, width, channels), uint8, and their labels."""
        numbers, images = self._load()
        return images, self.job.request.labels_of(numbers, images)

    def _load(self) -> tuple[list[int], np.ndarray]:
        """Read numbers and images of what lies on disk and can be read."""
        images, numbers = [], []
        for number, paths in sorted(self._files().items()):
            if (image := self._read(paths[0])) is not None:
                # Those of a batch that was cut short may be of an earlier phase.
                images.append(magnified(image[None], self.job.shape[:2])[0])
                numbers.append(number)
        if not images:
            return [], np.zeros((0, *self.job.shape), np.uint8)
        return numbers, np.stack(images)

    def _files(self) -> dict[int, list[Path]]:
        """List the run's images on disk by number; other files there are others'."""
        found = saved_images(self.path / "images")
        return {n: paths for n, paths in found.items() if n < self.job.count}

    def _has_images(self, batch: int, files: Mapping[int, list[Path]]) -> bool:
        found = (files.get(number) for number in self.job.numbers_of(batch))
        images = (self._read(paths[0]) if paths else None for paths in found)
        shape = self.job.shape
        return all(image is not None and image.shape == shape for image in images)

    def _read(self, path: Path) -> np.ndarray | None:
        """Read an image of the job's shape, or a smaller one of its form; else None."""
        image = read_picture(path)
        if image is None:
            return None
        height, width, channels = self.job.shape
        # Those of an earlier phase are rounded to whole pixels.
        apart = abs(image.shape[0] * width - image.shape[1] * height)
        fits = apart < max(height, width) and image.shape[2] == channels
        return image if fits else None

    def _grid(
        self, numbers: Sequence[int], images: np.ndarray, labels: np.ndarray
    ) -> Image.Image:
        return grid(images, *self.job.request.rows_of(numbers, labels))

    def _save_evolution(self) -> None:
        found = {
            path: image
            for path in sorted((self.path / "frames").glob("*.png"))
            if (image := read_picture(path)) is not None
        }
        if not found:
            return
        several = len({path.stem[:2] for path in found}) > 1
        captions = []
        for path in found:
            phase, step = map(int, path.stem.split("_"))
            captions.append(
                f"phase {phase + 1}, step {step}" if several else f"step {step}"
            )
        pictures = [Image.fromarray(image) for image in found.values()]
        save_evolution(self.path / "evolution.webp", pictures, captions)

    def _is_settled(self) -> Callable[[dict[str, Any]], bool]:
        """Tell rows of the log that stay from those that will be written again."""
        notes, missing = self.checkpoints.notes(), self.missing()
        goes_on = notes and (not missing or missing[0] == max(0, notes["batch"]))

        def settled(row: dict[str, Any]) -> bool:
            reached = [row.get(name) for name in ("batch", "phase", "step")]
            if notes is None or not goes_on:
                return False
            if not all(isinstance(number, int) for number in reached):
                return False
            here = [notes[name] for name in ("batch", "phase", "step")]
            # Rehearsals have negative numbers.
            return reached <= here and (
                reached[0] == here[0] or reached[0] not in missing
            )

        return settled


@checked
def save_run(
    result: Result,
    path: Path | str,
    *,
    judge: Classifier | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the result of `jinv.invert` as the command line would have.

    Args:
        result: Result of the inversion.
        path: Path of the folder.
        judge: Network that took no part in the inversion, to judge the images.
        overwrite: Whether to replace a run that the folder holds.

    Returns:
        Path of the page, `index.html`.

    Raises:
        FolderError: The folder is not free.

    Example:
        >>> import tempfile
        >>> import jinv
        >>> network = jinv.make_classifier(jinv.classifier_spec("mnist_fc"))
        >>> result = jinv.invert(network, "3,8", images=2, steps=(2,))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_run(result, Path(folder) / "run").name
        'index.html'
    """
    with RunFolder(Path(path), result.job, overwrite=overwrite) as folder:
        if folder.begun and not overwrite:
            raise FolderError(
                f"{path} already holds a run: overwrite=True replaces it, or choose "
                "another folder"
            )
        images = to_uint8(result.images)
        numbers = range(len(images))
        names = result.job.request.names_of(numbers, result.labels)
        folder.keep(numbers, images, names)
        for place, row in enumerate(result.log):
            folder.on_event(Logged(row, Far(place + 1, len(result.log))))
        seconds = result.outcome.compiling + result.outcome.running
        folder.finish("finished", seconds, result.outcome, judge, {})
    return folder.path / "index.html"


def _verdict(
    network: Classifier | None,
    images: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
) -> dict[str, Any] | None:
    """Ask a network about the images, if there are both."""
    if network is None or not len(labels):
        return None
    return judging.judge(network, images, labels, classes)


def _final_terms(
    rows: list[dict[str, Any]], weights: Mapping[str, float]
) -> dict[str, Any]:
    """Take each term at the end of each batch's last phase, averaged over batches."""
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
    for name, term in terms.items():
        term["weight"] = weights[name]
    return {"loss": float(np.mean([row["loss"] for row in last])), "terms": terms}
