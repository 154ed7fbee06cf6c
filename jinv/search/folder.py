"""The folder in which a search leaves what it has found."""

import json
import shutil
from pathlib import Path

import numpy as np

from jinv.atomic import write_json
from jinv.errors import FolderError
from jinv.inversion.preset import write_preset
from jinv.report.pictures import grid, save_picture
from jinv.search.page import picture_of, write_search_page
from jinv.search.parallel_coordinates import plot_parallel_coordinates
from jinv.search.plan import Plan
from jinv.search.results import Results, write_csv

_DATABASE = "study.db"
_OURS = (
    "config.json",
    "trials.csv",
    "best.json",
    "parallel_coordinates.png",
    "index.html",
    "images",
)


class SearchFolder:
    """Holds `study.db`, unless the search is kept elsewhere, and what is made of it.

    That is `config.json`, `trials.csv`, `parallel_coordinates.png`, `best.json` (a
    preset), `images/` (a picture for each complete trial) and `index.html`: written
    anew, each at once, whenever a trial ends, so that workers may share the folder and
    people may look while they work.
    """

    def __init__(self, path: Path):
        """Look at a folder, without touching it.

        Raises:
            FolderError: The folder holds something else.
        """
        self.path = path
        if path.exists() and not path.is_dir():
            raise FolderError(f"{path} is a file: choose another --out")
        if path.is_dir() and not self._is_ours():
            raise FolderError(
                f"{path} holds files, but no search: choose another --out"
            )

    @property
    def database(self) -> str:
        """The address of the database in it."""
        return f"sqlite:///{self.path / _DATABASE}"

    def clear(self) -> None:
        """Remove a search, but nothing else."""
        for pattern in (*_OURS, f"{_DATABASE}*"):
            for found in self.path.glob(pattern):
                shutil.rmtree(found) if found.is_dir() else found.unlink()

    def begin(self, plan: Plan) -> None:
        """Make the folder, and say what it is for."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.path / "config.json", {"search": plan.describe()})

    def keep(self, plan: Plan, number: int, images: np.ndarray) -> None:
        """Write a picture of a trial's images (images, height, width, channels)."""
        path = picture_of(self.path, number)
        path.parent.mkdir(exist_ok=True)
        job = plan.job
        labels = job.labels_of(range(len(images)), images).tolist()
        sheet = grid(images, labels, job.classifier.spec.classes)
        save_picture(path, sheet)

    def write(self, plan: Plan, results: Results) -> None:
        """Write all that is made of the results."""
        write_csv(self.path / "trials.csv", results)
        plot_parallel_coordinates(self.path / "parallel_coordinates.png", results)
        if (best := results.best) is not None and best.value is not None:
            write_preset(self.path / "best.json", plan.preset_of(best, results))
        write_search_page(self.path, plan, results)

    def _is_ours(self) -> bool:
        config = self.path / "config.json"
        if config.is_file():
            return "search" in json.loads(config.read_text())
        # Another worker may have made the folder a moment ago.
        names = [entry.name for entry in self.path.iterdir()]
        return all(name[0] == "." or name.startswith(_DATABASE) for name in names)
