"""Learned priors in an inversion: who takes part, and the terms that they add."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax

from jinv.engine.phase import TEACHER, Evaluation, Procedure, Term
from jinv.errors import ConfigError
from jinv.inversion.method import Method
from jinv.models.classifier import Classifier
from jinv.models.weights.checksums import fingerprint_of
from jinv.priors.energy import Variables, draw_shifts, energy
from jinv.priors.files import load_prior
from jinv.priors.form import Form
from jinv.priors.prior import Prior
from jinv.values import Count, NotNegative, converted, shown

COMMON_WEIGHT = "w_prior"
"""Setting that weighs the priors which have no weight of their own."""


@dataclass(frozen=True)
class CastPrior:
    """A learned prior in the cast of an inversion.

    Two of one form are equal: programs take its numbers as an argument, its weight
    among them by its name, and are the same for both.

    Attributes:
        role: Role in the cast, and name of its term.
        form: Form of the prior.
        stride: Distance of the patches that a step looks at, on a random grid for each
            image, in pixels; 1 for all patches.
        weight_name: Name of the number that weighs it.
        prior: Prior.
        weight: Weight of its own; None for that of the method, `w_prior`.
    """

    role: str
    form: Form
    stride: int
    weight_name: str
    prior: Prior = field(compare=False)
    weight: float | None = field(compare=False)

    @property
    def variables(self) -> Variables:
        """Arrays of the prior, which programs take as an argument."""
        return self.prior.variables

    def respond(self, variables: Any, inputs: jax.Array) -> tuple[()]:
        """Say nothing of a view: it is asked by its term."""
        del variables, inputs
        return ()

    def term(self, classifier: Classifier, method: Method) -> Term:
        """Make the term that asks for images, or for features, as they usually are.

        Images are judged as they are rendered, in [0, 1]; features as the teacher has
        them of the view at hand.
        """
        role, form, stride = self.role, self.form, self.stride
        layer = form.subject.layer

        def value(e: Evaluation) -> jax.Array:
            if layer:
                values = e.seen[TEACHER].features[layer]
            else:
                values = classifier.denormalise(e.inputs)
            form.check_room(values.shape, role)
            shifts = None if stride == 1 else draw_shifts(e.key, e.index)
            return method.joined(e, energy(form, e.cast[role], values, shifts, stride))

        return Term(
            role, value, self.weight_name, (role, TEACHER) if layer else (role,)
        )

    def describe(self, weight: float) -> dict[str, Any]:
        """All that images depend on, as JSON.

        Args:
            weight: Number that weighs it.
        """
        prior = self.prior
        return {
            "name": prior.name,
            "of": str(self.form),
            "sha256": prior.sha256 or fingerprint_of(prior.variables),
            "weight": weight,
            "stride": self.stride,
        }


def cast_priors(
    given: Sequence[Any], classifier: Classifier, stride: Count
) -> tuple[CastPrior, ...]:
    """Find the priors that are to take part in an inversion.

    Args:
        given: Priors, each as it is, by its file or folder (a path, or text as FILE or
            FILE:WEIGHT), or as a pair of either and its weight.
        classifier: Network that is inverted.
        stride: Distance of the patches that a step looks at; 1 for all.

    Raises:
        ConfigError: One is no prior, or of images or features of something else.
        WeightsError: A file is no prior, or one of its numbers is not finite.
    """
    found: list[CastPrior] = []
    roles: Counter[str] = Counter()
    for each in given:
        prior, weight = _prior_and_weight(each)
        prior.check_network(classifier)
        role = f"prior_{prior.layer or 'images'}"
        roles[role] += 1
        if roles[role] > 1:
            role = f"{role}_{roles[role]}"
        name = COMMON_WEIGHT if weight is None else f"w_{role}"
        found.append(CastPrior(role, prior.form, stride, name, prior, weight))
    return tuple(found)


def with_priors(
    procedure: Procedure,
    priors: Sequence[CastPrior],
    classifier: Classifier,
    method: Method,
) -> Procedure:
    """Add the terms of priors to all phases of a method's procedure."""
    if not priors:
        return procedure
    terms = tuple(prior.term(classifier, method) for prior in priors)
    phases = (
        replace(phase, wanted=(*phase.wanted, *terms)) for phase in procedure.phases
    )
    return replace(procedure, phases=tuple(phases))


def prior_and_weight(text: str) -> tuple[Path, float | None]:
    """Read the file of a prior and its weight, if it has one, from FILE[:WEIGHT].

    Raises:
        ConfigError: The weight is negative or not finite.

    Example:
        >>> prior_and_weight("edges.safetensors:0.02")[1]
        0.02
    """
    path, colon, number = text.rpartition(":")
    try:
        weight = float(number)
    except ValueError:
        return Path(text).expanduser(), None
    if not colon or not path:
        return Path(text).expanduser(), None
    return Path(path).expanduser(), _checked(weight, path)


def _prior_and_weight(given: Any) -> tuple[Prior, float | None]:
    weight: Any = None
    if isinstance(given, tuple | list) and len(given) == 2:
        given, weight = given
    if isinstance(given, str):
        given, own = prior_and_weight(given)
        weight = own if weight is None else weight
    if isinstance(given, Path):
        given = load_prior(given)
    if not isinstance(given, Prior):
        raise ConfigError(
            "priors: expected priors, their files (FILE or FILE:WEIGHT), or pairs of "
            f"either and a weight, found {shown(given)}"
        )
    return given, None if weight is None else _checked(weight, given.name)


def _checked(weight: Any, whose: str) -> float:
    return converted(NotNegative, weight, f"weight of the prior {whose}")
