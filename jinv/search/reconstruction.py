"""The error of reconstructions as an objective: how near they are to photographs."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jinv.errors import ConfigError, DataError
from jinv.metrics.bootstrap import Estimate, bootstrap_mean
from jinv.metrics.feature_errors import (
    FeatureErrors,
    feature_errors,
    mean_pairwise_distance,
)
from jinv.metrics.fidelity import fidelity
from jinv.metrics.lpips import lpips, other_family
from jinv.metrics.measures import LPIPS, MEASURES
from jinv.reconstruction.photographs import PhotographRequest
from jinv.search.objective import Objective
from jinv.suggest import near

Values = Callable[[np.ndarray], Any]
"""Images (images, height, width, channels), uint8, of the first photographs → a value
for each."""


def reconstruction(name: str, request: PhotographRequest) -> Objective:
    """Objective by a measure of each image and its photograph, averaged.

    Args:
        name: Name from `MEASURES`; errors of features are means over the layers.
        request: Request of the reconstruction, which knows layers and photographs.

    Raises:
        ConfigError: There is no such measure; near matches are offered.
        WeightsError: It needs a network that is not there.
    """
    if name not in MEASURES:
        raise ConfigError(
            f"unknown objective {name!r}{near(name, MEASURES)}; of reconstructions "
            f"there are {', '.join(MEASURES)}"
        )
    basis: Mapping[str, Any] = {}
    if name == LPIPS:
        family = other_family(request.classifier.spec.name)
        values, basis = _looks(request, family), {"lpips_by": family}
    elif name in FeatureErrors.__dataclass_fields__:
        values = _features(request, name)
    else:
        values = _pixels(request, name)

    def compute(images: np.ndarray, labels: np.ndarray) -> Estimate:
        del labels
        found = [value for value in values(images) if value is not None]
        if len(found) < len(images):
            raise DataError(f"{name} cannot be had of all images")
        return bootstrap_mean(found)

    return Objective(name, MEASURES[name], basis, compute)


def _looks(request: PhotographRequest, family: Any) -> Values:
    look = lpips(family)
    return lambda images: look(images, request.photographs[: len(images)])


def _pixels(request: PhotographRequest, name: str) -> Values:
    def values(images: np.ndarray) -> Any:
        found = fidelity(images, request.photographs[: len(images)])
        return [getattr(each, name) for each in found]

    return values


def _features(request: PhotographRequest, name: str) -> Values:
    known = request.features(request.photographs)
    apart = {layer: mean_pairwise_distance(x) for layer, x in known.items()}

    def values(images: np.ndarray) -> Any:
        own = request.features(images)
        layers = [
            feature_errors(own[layer], wanted[: len(images)], apart[layer])
            for layer, wanted in known.items()
        ]
        each = zip(*layers, strict=True)
        rows = [[getattr(error, name) for error in errors] for errors in each]
        return [None if None in row else float(np.mean(row)) for row in rows]

    return values
