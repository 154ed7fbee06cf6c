"""What is asked of images, as the engine needs to know it."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from jinv.engine.events import Made
from jinv.engine.phase import Term


class Batches(Protocol):
    """What is asked of the images of each batch.

    Attributes:
        count: How many batches there are.
        size: Images that are optimised together, company included.
        watched: What is measured of them, and not optimised.
    """

    count: int
    size: int
    watched: tuple[Term, ...]

    def asked(self, batch: int) -> Mapping[str, np.ndarray]:
        """The arrays that tell what each image shall be, by name.

        Args:
            batch: Number of the batch; the first axis of each array counts its images.
        """
        ...

    def made(self, batch: int, inputs: np.ndarray) -> Made:
        """Make of a batch's inputs (size, height, width, channels) what is kept."""
        ...
