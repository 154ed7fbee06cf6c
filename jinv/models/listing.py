"""A module's variables and layers, by shapes alone: nothing is computed."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jinv.models.operations.layers import BatchNorm
from jinv.models.spec import ClassifierSpec


def init_shapes(
    module: nn.Module, spec: ClassifierSpec, inference: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Shapes of a module's variables, without computing them."""
    size = spec.input_size
    example = jax.ShapeDtypeStruct((1, size, size, spec.channels), jnp.float32)
    init = partial(module.init, **(inference or {}))
    return dict(jax.eval_shape(init, jax.random.key(0), example))


def batchnorm_names(
    module: nn.Module, spec: ClassifierSpec, inference: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """BatchNorm layers of a module in the order in which an input meets them."""
    return _layers(
        lambda layer: isinstance(layer, BatchNorm | nn.BatchNorm),
        module,
        spec,
        inference,
    )


def kernel_names(
    module: nn.Module, spec: ClassifierSpec, inference: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """Convolutions and dense layers in the order in which an input meets them."""
    return _layers(
        lambda layer: layer.has_variable("params", "kernel"), module, spec, inference
    )


def _layers(
    wanted: Callable[[nn.Module], bool],
    module: nn.Module,
    spec: ClassifierSpec,
    inference: Mapping[str, Any] | None,
) -> tuple[str, ...]:
    names = []

    def note(call, args, kwargs, context):
        result = call(*args, **kwargs)
        if context.method_name == "__call__" and wanted(context.module):
            names.append(".".join(context.module.path))
        return result

    with nn.intercept_methods(note):
        init_shapes(module, spec, inference)
    # A layer that is used twice is one layer.
    return tuple(dict.fromkeys(names))
