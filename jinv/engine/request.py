"""What is asked of images, as the engine needs to know it."""

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np

from jinv.engine.events import Made
from jinv.engine.phase import TEACHER, Cast, Numbers, Procedure, Term
from jinv.engine.rows import ROW
from jinv.errors import ConfigError
from jinv.values import shown


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
        ConfigError: A network, something to ask, a number or a phase is missing, or two
            things have one name.
    """
    phases, asked = procedure.phases, batches.asked(0)
    # Phases may have terms in common.
    terms = list(dict.fromkeys(term for phase in phases for term in phase.wanted))
    terms += [term for term in batches.watched if term not in terms]
    _check_form(procedure, batches)
    roles = procedure.cast.union({TEACHER}, *(term.cast for term in terms))
    for role in sorted(roles - set(cast)):
        who = _who(term for term in terms if role in term.cast)
        raise ConfigError(
            f"a {role} is looked at by {who}, but the cast is "
            f"{', '.join(cast) or 'empty'}: give one"
        )
    asks = procedure.asks.union(*(term.asks for term in terms))
    for name in sorted(asks - set(asked)):
        who = _who(term for term in terms if name in term.asks)
        raise ConfigError(
            f"{name} of each image are asked for by {who}, but the request has "
            f"{', '.join(sorted(asked)) or 'nothing'}: make one that has them"
        )
    for name, array in asked.items():
        if len(array) != batches.size:
            raise ConfigError(
                f"{name}: expected an array for {batches.size} images, found "
                f"{shown(array)}"
            )
    try:
        for phase in phases:
            phase.descent.optimizers(numbers)
            phase.descent.learning_rate(numbers, 0)
            [numbers[t.weight] for t in phase.wanted if isinstance(t.weight, str)]
    except KeyError as name:
        raise ConfigError(
            f"no number is called {name}, there are {', '.join(numbers) or 'none'}: "
            "annotate such a setting as Weight or Rate"
        ) from None


def _check_form(procedure: Procedure, batches: Batches) -> None:
    phases = procedure.phases
    if not phases or (procedure.passes_on and len(phases) > 1):
        raise ConfigError(
            f"expected {'one phase' if phases else 'phases'}, found {len(phases)}"
            + (", between which nothing can pass on" if phases else "")
        )
    for phase in phases:
        if not phase.wanted:
            raise ConfigError("every loss weight is 0: there is nothing to optimise")
        names = [term.name for term in (*phase.wanted, *batches.watched)]
        taken = [*names, *ROW]
        if twice := sorted({name for name in names if taken.count(name) > 1}):
            raise ConfigError(f"{twice[0]!r} is the name of two things in the log")


def _who(terms: Iterable[Term]) -> str:
    return " and ".join(repr(term.name) for term in terms) or "the rendering"
