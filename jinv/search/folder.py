"""The folder in which a search leaves what it has found."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from jinv.folders import Folder, Held, Kind
from jinv.inversion.presets import write_preset
from jinv.locks import Lock
from jinv.report.grid import grid
from jinv.report.pictures import save_picture
from jinv.search.page import picture_of, write_search_page
from jinv.search.parallel_coordinates import plot_parallel_coordinates
from jinv.search.plan import Plan
from jinv.search.results import Results, write_csv

_DATABASE = "study.db"
SEARCH = Kind(
    "search",
    "search",
    owned=(
        f"{_DATABASE}*",
        "trials.csv",
        "best.json",
        "parallel_coordinates.png",
        "index.html",
        "images",
    ),
    shared=True,
)


class SearchFolder(Held):
    """A folder with `study.db`, unless that is elsewhere, and what is made of it.

    That is `config.json`, `trials.csv`, `parallel_coordinates.png`, `best.json` (a
    preset), `images/` (a picture for each complete trial) and `index.html`: written
    anew, each at once, whenever a trial ends, so that workers may share the folder and
    people may look while they work.
    """

    def __init__(
        self,
        path: Path,
        plan: Plan,
        *,
        overwrite: bool = False,
        forget: Callable[[], None] = lambda: None,
    ):
        """Take a folder for a search, or join those who work on the same one.

        Args:
            path: Path of the folder; made if missing.
            plan: Plan of the search.
            overwrite: Whether to remove the search that the folder holds.
            forget: Function that removes what is kept of it elsewhere.

        Raises:
            FolderError: The folder holds something else, or others work on the search
                that is to be removed.
        """
        self.path = path
        # While nobody else can join.
        kind = replace(SEARCH, clear=lambda *_: forget())
        self._folder = Folder(path, kind, plan.describe(), overwrite=overwrite)

    def close(self) -> None:
        """Let go of the folder."""
        self._folder.close()

    def turn(self) -> Lock:
        """Wait until no other worker begins the search or joins it."""
        return self._folder.turn()

    @staticmethod
    def database(path: Path) -> str:
        """Address of the database in a folder."""
        return f"sqlite:///{path / _DATABASE}"

    def keep(
        self, plan: Plan, number: int, images: np.ndarray, labels: np.ndarray
    ) -> None:
        """Write a picture of a trial's images (images, height, width, channels)."""
        path = picture_of(self.path, number)
        path.parent.mkdir(exist_ok=True)
        job = plan.job
        sheet = grid(images, *job.request.rows_of(range(len(images)), labels))
        save_picture(path, sheet)

    def write(self, plan: Plan, results: Results) -> None:
        """Write all files that are made of a search's results."""
        write_csv(self.path / "trials.csv", results)
        plot_parallel_coordinates(self.path / "parallel_coordinates.png", results)
        if (best := results.best) is not None:
            write_preset(self.path / "best.json", plan.preset_of(best, results))
        write_search_page(self.path, plan, results)
