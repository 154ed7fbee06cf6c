"""Following a worker of a search."""

import numpy as np

from jinv.engine.events import Event
from jinv.inversion.job import Job
from jinv.search.results import Results, Trial


class Follower:
    """Told what a worker does; by itself it does nothing about it."""

    def begin(self, number: int, job: Job) -> None:
        """A trial begins."""

    def on_event(self, event: Event) -> None:
        """A trial's inversion reports something."""

    def keep(self, number: int, images: np.ndarray, labels: np.ndarray) -> None:
        """A trial's images are all made (images, height, width, channels), uint8."""

    def end(self, trial: Trial, results: Results) -> None:
        """A trial has ended; these are all that have."""

    def wait(self, running: int) -> None:
        """Nothing is left to begin, but other workers are still at it."""
