"""A network of random weights, of which a mask decides what is used.

Nothing here knows an architecture. A layer that has a kernel, be it a convolution or a
dense one, computes with kernel · mask; so masking a network is a function from its
parameters to its parameters, and any network of such layers can be masked.
"""

import fnmatch
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jinv.checked import Checked
from jinv.errors import ConfigError
from jinv.models.listing import init_shapes, kernel_names
from jinv.models.operations.masks import kept_count, sampled_mask, top_mask
from jinv.models.spec import ClassifierSpec
from jinv.models.weights.drawing import WeightInit, draw_scores
from jinv.models.weights.hidden_networks import FrozenWeights
from jinv.models.weights.state_dict import (
    StateDict,
    kernel_from_torch,
    kernel_to_torch,
    torch_shape,
)
from jinv.transfer.trainable import Trainable
from jinv.values import Range, Seed

_Flat = dict[tuple[str, ...], Any]


@dataclass(frozen=True)
class Supermask(Checked):
    """Settings of a search: which random network, and how much of it is kept.

    A layer computes with kernel · mask, where mask is 1 for the ⌈keep_fraction · n⌉ of
    its n weights whose |score| is largest, else 0: edge-popup. Ramanujan et al. 2020,
    "What's Hidden in a Randomly Weighted Neural Network?", section 3.

    Attributes:
        keep_fraction: Fraction of each layer's weights that is kept.
        layers: Layers with a fraction of their own, as PATTERN=FRACTION, e.g.
            "layer3.*=0.2"; of several that fit a layer the last one counts.
        first_dense: Keep the whole first layer.
        last_dense: Keep the whole last layer.
        sampled: Draw masks with the scores as logits (Zhou et al. 2019) instead of
            keeping the top scores; then a fraction under 1 only scales the weights.
        weight_init: How the weights are drawn; see `draw_weights`.
        scaled: Divide the weights' variance by the fraction that is kept.
        affine: Train the scales and offsets of BatchNorm as well. Otherwise they stay
            1 and 0, as if there were none.
        weight_seed: Seed of the weights and of the scores' start.

    Example:
        >>> Supermask(keep_fraction=0.3, first_dense=True).fractions(("conv1", "fc"))
        {'conv1': 1.0, 'fc': 0.3}
    """

    keep_fraction: Annotated[float, Range(over=0, most=1)] = 0.5
    layers: tuple[str, ...] = ()
    first_dense: bool = False
    last_dense: bool = False
    sampled: bool = False
    weight_init: WeightInit = "signed-constant"
    scaled: bool = True
    affine: bool = False
    weight_seed: Seed = 0

    def fractions(self, names: tuple[str, ...]) -> dict[str, float]:
        """Tell the fraction that is kept of each layer.

        Args:
            names: Layers with a kernel, in the order in which an input meets them.

        Raises:
            ConfigError: A fraction is not one, or a pattern fits no layer.
        """
        found = dict.fromkeys(names, self.keep_fraction)
        for rule in self.layers:
            pattern, fraction = _parse(rule)
            fitting = fnmatch.filter(names, pattern)
            if not fitting:
                raise ConfigError(
                    f"layers: {pattern!r} fits no layer; there are {', '.join(names)}"
                )
            found |= dict.fromkeys(fitting, fraction)
        found |= {names[0]: 1.0} if self.first_dense else {}
        found |= {names[-1]: 1.0} if self.last_dense else {}
        for name, fraction in found.items():
            if not 0 < fraction <= 1:
                raise ConfigError(
                    f"keep_fraction of {name}: expected a number over 0 and up to 1, "
                    f"the fraction of weights kept, not {fraction}"
                )
        if min(found.values()) == 1 and not self.affine:
            raise ConfigError(
                "every layer keeps all of its weights, so there is nothing to search: "
                "take a keep_fraction under 1 (and scaled=False, --no-scaled, if it is "
                "not to change the weights of drawn masks)"
            )
        return found


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class HiddenNetwork:
    """A random network whose subnetworks can be searched.

    Attributes:
        frozen: How the weights are drawn.
        trainable: Scores, weights, and the parameters that follow from them.
        sampled: Whether masks are drawn.
    """

    frozen: FrozenWeights
    trainable: Trainable
    sampled: bool

    def masks(self, trained: Any) -> StateDict:
        """Compute the masks that scores decide: booleans of PyTorch's shapes, by layer.

        Layers that are kept whole have none.
        """
        fractions, sampled = self.frozen.fractions, self.sampled
        decide = jax.jit(lambda scores: _masks(scores, fractions, sampled, None))
        masks = decide(trained["scores"])
        return {
            name: kernel_to_torch(np.asarray(mask) > 0)
            for name, mask in masks.items()
            if fractions[name] < 1
        }


def hide(spec: ClassifierSpec, config: Supermask) -> HiddenNetwork:
    """Draw the random network in which a subnetwork is to be found.

    Args:
        spec: Specification of the network.
        config: Which weights, and how much of them.

    Raises:
        ConfigError: A fraction cannot be (see `Supermask.fractions`), or the
            architecture has parameters that are no kernels, biases or scales.
    """
    module = spec.make_module()
    fractions = config.fractions(kernel_names(module, spec))
    params: _Flat = dict(flatten_dict(init_shapes(module, spec)["params"]))
    paths = {".".join(path[:-1]): path for path in params if path[-1] == "kernel"}
    if set(paths) != set(fractions):
        unused = ", ".join(set(paths) - set(fractions))
        raise ConfigError(
            f"{spec.name}: a forward pass does not meet all its layers: {unused}"
        )
    shapes = {name: torch_shape(params[paths[name]].shape) for name in fractions}
    seed = config.weight_seed
    drawn = FrozenWeights(seed, config.weight_init, config.scaled, fractions, shapes)
    scores = {
        # Under the name that weight decay looks for.
        name: {"kernel": kernel_from_torch(draw_scores(shape, seed, name))}
        for name, shape in shapes.items()
    }
    kernels = {n: kernel_from_torch(weight) for n, weight in drawn.draw().items()}
    affine, constant = _others(params, config.affine)

    def params_of(trained: Any, frozen: Any, key: jax.Array | None) -> Any:
        masks = _masks(trained["scores"], fractions, config.sampled, key)
        used = {
            paths[name]: frozen["kernels"][name] * mask for name, mask in masks.items()
        }
        others = flatten_dict(trained["affine"]) | flatten_dict(frozen["constant"])
        return unflatten_dict(used | others)

    trainable = Trainable(
        {"scores": scores, "affine": unflatten_dict(affine)},
        {"kernels": kernels, "constant": unflatten_dict(constant)},
        params_of,
        {"supermask": asdict(config)},
    )
    return HiddenNetwork(drawn, trainable, config.sampled)


def _others(params: _Flat, affine: bool) -> tuple[_Flat, _Flat]:
    """Set parameters that are no kernels to 1 and 0: those to train, and the rest."""
    start = {"scale": np.ones, "bias": np.zeros}
    for path in params:
        if path[-1] not in ("kernel", *start):
            raise ConfigError(
                f"parameter {'.'.join(path)}: expected kernels, biases, and scales of "
                "BatchNorm; networks with others cannot be masked"
            )
    others = {
        path: start[path[-1]](leaf.shape, np.float32)
        for path, leaf in params.items()
        if path[-1] != "kernel"
    }
    normalising = {path[:-1] for path in others if affine and path[-1] == "scale"}
    trained = {path: x for path, x in others.items() if path[:-1] in normalising}
    return trained, {path: x for path, x in others.items() if path not in trained}


def _masks(
    scores: Any, fractions: Mapping[str, float], sampled: bool, key: jax.Array | None
) -> dict[str, jax.Array]:
    masks = {}
    for index, name in enumerate(fractions):
        values = jnp.asarray(scores[name]["kernel"])
        if sampled and fractions[name] < 1:
            own = None if key is None else jax.random.fold_in(key, index)
            masks[name] = sampled_mask(values, own)
        else:
            masks[name] = top_mask(values, kept_count(fractions[name], values.size))
    return masks


def _parse(rule: str) -> tuple[str, float]:
    pattern, _, text = rule.rpartition("=")
    try:
        if pattern:
            return pattern, float(text)
    except ValueError:
        pass
    raise ConfigError(f"layers: {rule!r} is no PATTERN=FRACTION, e.g. conv1=0.9")
