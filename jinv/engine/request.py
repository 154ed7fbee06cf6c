"""What is asked of images, as the engine needs to know it."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from jinv.engine.events import Made
from jinv.engine.phase import TEACHER, Cast, Numbers, Procedure, Term
from jinv.errors import ConfigError


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


def check_request(
    cast: Cast, procedure: Procedure, numbers: Numbers, batches: Batches
) -> None:
    """Find out whether all is there that terms and renderings look at.

    Raises:
        ConfigError: A network, something to ask, or a number is missing.
    """
    terms = [term for phase in procedure.phases for term in phase.wanted]
    roles = procedure.cast.union({TEACHER}, *(term.cast for term in batches.watched))
    if missing := sorted(roles - set(cast)):
        who = [repr(term.name) for term in terms if missing[0] in term.cast]
        raise ConfigError(
            f"{' and '.join(who) or 'the method'} looks at a {missing[0]}, but the "
            f"cast is {', '.join(cast) or 'empty'}: give one"
        )
    asked = set(batches.asked(0))
    if missing := sorted(procedure.asks - asked):
        who = [repr(term.name) for term in terms if missing[0] in term.asks]
        raise ConfigError(
            f"{' and '.join(who) or 'the rendering'} asks for {missing[0]} of each "
            f"image, but the request has {', '.join(sorted(asked)) or 'nothing'}: "
            "make a request that has it, or leave the term out"
        )
    for phase in procedure.phases:
        names = [term.name for term in phase.wanted]
        if len(set(names)) < len(names):
            raise ConfigError(f"two terms have one name: {', '.join(names)}")
        for term in phase.wanted:
            if isinstance(term.weight, str) and term.weight not in numbers:
                raise ConfigError(
                    f"{term.name!r} is weighted by {term.weight}, but the numbers are "
                    f"{', '.join(numbers) or 'none'}: annotate such a setting as Weight"
                )
