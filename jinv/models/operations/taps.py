"""Reports of networks on the way: moments, and activations by name."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jinv.models.operations.moments import moments

TAPS = "taps"
"""The variable collection in which BatchNorm layers report their input's moments."""

FEATURES = "features"
"""The variable collection in which networks report named activations."""


def tap(module: nn.Module, name: str, x: jax.Array) -> jax.Array:
    """Give an activation a name by which `Classifier.features` can ask for it.

    Costs nothing where it is not asked for: what a compiled program does not use is
    not computed.

    Args:
        module: Module that calls.
        name: Name that is unique in the whole network, e.g. "conv3_1", "stage2".
        x: Activation; returned as it is.

    Example:
        >>> class Net(nn.Module):
        ...     @nn.compact
        ...     def __call__(self, x, train=False):
        ...         return tap(self, "fc", nn.Dense(2)(x))
        >>> variables = Net().init(jax.random.key(0), jnp.ones((1, 3)))
        >>> _, told = Net().apply(variables, jnp.ones((1, 3)), mutable=[FEATURES])
        >>> told[FEATURES]["fc"].shape
        (1, 2)
    """
    if not module.is_initializing():
        module.sow(FEATURES, name, x, lambda _, new: new, lambda: x)
    return x


def tap_foreign(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
    """Intercept Flax's own BatchNorm, so that it reports the moments of its input.

    Use with `flax.linen.intercept_methods`, the collection `taps` being mutable.
    """
    module = context.module
    if isinstance(module, nn.BatchNorm) and context.method_name == "__call__":
        x = args[0] if args else kwargs["x"]
        # Moments are of its channels, whichever axis they lie on.
        sow_moments(module, jnp.moveaxis(x, module.axis, -1))
    return call(*args, **kwargs)


def sow_moments(module: nn.Module, x: jax.Array) -> None:
    """Report the moments of a layer's input (batch, height, width, channels)."""
    for name, value in zip(("mean", "var"), moments(x), strict=True):
        module.sow(TAPS, name, value, lambda _, new: new, lambda value=value: value)
