"""Hidden networks that the original repository of edge-popup saved.

Its checkpoints (github.com/allenai/hidden-networks, PyTorch) have the scores of each
masked layer beside its weights, X.scores and X.weight; the masks are not in them, nor
is the fraction k that they keep. That fraction is called prune_rate there.

The mask is computed as it is there: of a layer's n weights those int((1 - k) · n) are
removed whose |score| is lowest, in that arithmetic of floats. `kept_count`, which our
own searches use, is exactly ⌈k · n⌉. The two differ by one weight where (1 - k) · n
falls just short of an integer: of 10 weights and k = 0.9 all are kept there, 9 here.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from jinv.errors import ConfigError, WeightsError
from jinv.models.classifier import Classifier
from jinv.models.listing import init_shapes
from jinv.models.spec import ClassifierSpec
from jinv.models.weights.checksums import sha256_of
from jinv.models.weights.fitting import from_state_dict
from jinv.models.weights.reading import SCORES, read_tensors
from jinv.models.weights.state_dict import (
    StateDict,
    canonical_key,
    with_batchnorm_defaults,
)

Origin = Literal["given", "weights", "folder"]

_TOLERANCE = 1e-3
_ADVICE = "pass --keep-fraction (in Python, keep_fraction=)"
_MEAN = ".running_mean"
_AFFINE = ("weight", "bias")


class Published(NamedTuple):
    """A hidden network of the original repository.

    Attributes:
        classifier: Network with what the masks remove at 0.
        keep_fraction: Fraction of each masked layer's weights that is kept.
        origin: Origin of that fraction: it was given, the weights are scaled for
            it, or a folder is called after it.
    """

    classifier: Classifier
    keep_fraction: float
    origin: Origin


def load_published(
    path: Path | str, spec: ClassifierSpec, keep_fraction: float | None = None
) -> Published:
    """Load a checkpoint of the original repository, and mask its weights.

    BatchNorm without scales and offsets has 1 and 0, layers without a bias have 0, and
    1×1 convolutions are taken for dense layers.

    Args:
        path: Path of the checkpoint, a PyTorch file.
        spec: Specification of its architecture.
        keep_fraction: Fraction of each masked layer's weights that is kept. By default
            it is read off a folder on the path, e.g. `prune_rate=0.3`, or off the
            weights, where they are constants that were scaled for it.

    Raises:
        ConfigError: The fraction is not one, nothing tells it, or the folder and the
            weights tell two.
        WeightsError: The file cannot be read, has no scores or unusable ones, or
            belongs to another architecture.

    Example:
        >>> import tempfile
        >>> from jinv import classifier_spec, make_classifier
        >>> from jinv.models.weights.state_dict import to_state_dict
        >>> spec = classifier_spec("mnist_fc")
        >>> state = to_state_dict(make_classifier(spec).variables)
        >>> scores = {k.replace("weight", "scores"): v for k, v in state.items()}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/model.npz", **state, **scores)
        ...     found = load_published(f"{folder}/model.npz", spec, keep_fraction=0.3)
        >>> found.keep_fraction, found.origin
        (0.3, 'given')
    """
    path = Path(path)
    state = read_tensors(path)
    scores = _scores(state, path)
    weights = {name: state[f"{name}.weight"] for name in scores}
    fraction, origin = _fraction(keep_fraction, weights, path)
    masked = {
        f"{name}.weight": weight * published_mask(scores[name], fraction)
        for name, weight in weights.items()
    }
    others = {key: v for key, v in state.items() if not key.endswith(SCORES)}
    module = spec.make_module()
    shapes = init_shapes(module, spec)
    fitted = _fit(others | masked, shapes, spec.aliases)
    variables = from_state_dict(fitted, shapes, str(path), spec.aliases, spec.ignored)
    variables = jax.tree.map(jnp.asarray, variables)
    classifier = Classifier(spec, module, variables, sha256_of(path))
    return Published(classifier, fraction, origin)


def published_mask(scores: np.ndarray, keep_fraction: float) -> np.ndarray:
    """Compute a layer's mask from its scores as the original repository does.

    Of equal |score| the first are kept; in PyTorch their order is not specified.

    Returns:
        Booleans of the scores' shape.

    Example:
        >>> published_mask(np.array([3.0, -5.0, 1.0, 1.0]), 0.6)
        array([ True,  True,  True, False])
    """
    removed = int((1 - keep_fraction) * scores.size)
    falling = np.argsort(-np.abs(scores), axis=None, kind="stable")
    mask = np.ones(scores.size, np.bool_)
    mask[falling[scores.size - removed :]] = False
    return mask.reshape(scores.shape)


def _scores(state: StateDict, path: Path) -> StateDict:
    """The scores by layer, once they are known to fit the weights."""
    scores = {
        key.removesuffix(SCORES): value
        for key, value in state.items()
        if key.endswith(SCORES)
    }
    if not scores:
        raise WeightsError(
            f"{path} has no scores: it is an ordinary checkpoint, which commands take "
            "as --weights"
        )
    for name, value in scores.items():
        weight = state.get(f"{name}.weight")
        if weight is None:
            raise WeightsError(f"{path} has scores of {name}, but no weights of it")
        if value.shape != weight.shape:
            raise WeightsError(
                f"{path}: the scores of {name} have shape {value.shape}, but its "
                f"weights have {weight.shape}"
            )
        if not np.isfinite(value).all():
            raise WeightsError(f"{path}: the scores of {name} are not all finite")
        if value.size > 1 and np.isin(value, (0, 1)).all():
            raise WeightsError(
                f"{path}: the scores of {name} are all 0 or 1: they are a fixed mask "
                "(FixedSubnetConv), and not ranked"
            )
    return scores


def _fraction(
    given: float | None, weights: StateDict, path: Path
) -> tuple[float, Origin]:
    """The fraction that masks keep, and where it comes from."""
    scaled, named = _from_weights(weights), _from_folder(path)
    if given is not None:
        fraction, origin = given, "given"
    elif named is not None and scaled is not None and abs(named - scaled) > _TOLERANCE:
        raise ConfigError(
            f"{path}: its weights are scaled for masks that keep {scaled:g}, but its "
            f"folder says prune_rate={named:g}: {_ADVICE}"
        )
    elif named is not None:
        # As it was typed, with all its digits.
        fraction, origin = named, "folder"
    elif scaled is not None:
        fraction, origin = scaled, "weights"
    else:
        raise ConfigError(
            f"{path}: neither its weights nor a folder called prune_rate=… tell which "
            f"fraction of them the masks keep: {_ADVICE}"
        )
    if not 0 < fraction <= 1:
        raise ConfigError(
            f"{path}: expected a keep_fraction over 0 and up to 1, the fraction of "
            f"weights that the masks keep, not {fraction:g} ({origin}): {_ADVICE}"
        )
    return fraction, origin


def _from_weights(weights: StateDict) -> float | None:
    """The k of constants ±√(2 / (fan-in (1 - k))), if all layers agree on it.

    The weights are scaled for k as if it were the fraction removed.
    """
    found = []
    for weight in weights.values():
        sizes = np.abs(weight.astype(np.float64))
        size = sizes.flat[0]
        if not (size > 0 and np.allclose(sizes, size, rtol=1e-5, atol=0)):
            return None
        found.append(1 - 2 / (math.prod(weight.shape[1:]) * size**2))
    low, high = min(found), max(found)
    # Constants that were not scaled yield 0.
    if high - low > _TOLERANCE or low < _TOLERANCE:
        return None
    # One weight more or less may hang on the last digits: k was a short number.
    middle = (low + high) / 2
    short = (round(middle, digits) for digits in range(1, 7))
    return next(k for k in short if abs(k - middle) < 1e-6)


def _from_folder(path: Path) -> float | None:
    """The k of the nearest folder that is called after it."""
    for folder in path.absolute().parents:
        match = re.fullmatch(r"prune_rate=(\d*\.?\d+(?:e-?\d+)?)", folder.name)
        if match:
            return float(match[1])
    return None


def _fit(
    state: StateDict, shapes: Mapping[str, Any], aliases: Mapping[str, str]
) -> StateDict:
    """Bring a state dict into the form of our layers, as far as they compute alike."""
    params: dict[tuple, Any] = dict(flatten_dict(shapes["params"]))
    kernels = {path[:-1]: leaf for path, leaf in params.items() if path[-1] == "kernel"}
    dense = {f"{'.'.join(n)}.weight" for n, leaf in kernels.items() if leaf.ndim == 2}
    ours = {key: canonical_key(key, aliases) for key in state}
    fitted = {
        key: value.reshape(value.shape[:2])
        if ours[key] in dense and value.shape[2:] == (1, 1)
        else value
        for key, value in state.items()
    }
    present = set(ours.values())
    for layer in kernels:
        bias = ".".join((*layer, "bias"))
        if (*layer, "bias") in params and bias not in present:
            fitted[bias] = np.zeros(params[*layer, "bias"].shape, np.float32)
    norms = [key.removesuffix(_MEAN) for key in state if key.endswith(_MEAN)]
    affine = any(f"{norm}.{leaf}" in state for norm in norms for leaf in _AFFINE)
    # All of them are, or none.
    return fitted if affine else with_batchnorm_defaults(fitted)
