"""Receptive fields: how far apart a layer's units look, and how far each sees.

Read off the traced program, so that it holds for any network, and costs no computation
(Araujo et al. 2019, "Computing Receptive Fields of Convolutional Neural Networks").
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Literal

from jinv.models.classifier import Classifier


class Field(NamedTuple):
    """Rows of the input at which the units of a layer look, in pixels.

    Attributes:
        stride: Distance between the centres of neighbours.
        first: First input row that unit 0 sees; negative inside the padding.
        last: Last input row that unit 0 sees.
    """

    stride: int
    first: int
    last: int

    @property
    def size(self) -> int:
        """Number of rows that a unit sees."""
        return self.last - self.first + 1


def receptive_fields(
    function: Callable[[Any, Any], Mapping[str, Any]], variables: Any, example: Any
) -> dict[str, Field | None]:
    """Fields of all arrays that a network returns.

    Args:
        function: Function (variables, images (batch, height, width, channels)) → arrays
            by name, e.g. `Classifier.features`.
        variables: Weights, or their shapes.
        example: Images, or their shape.

    Returns:
        Fields by name; None where a unit sees everything.
    """
    traced = jax.make_jaxpr(function, return_shape=True)
    closed, shapes = traced(variables, example)
    weights: list = [None] * len(jax.tree.leaves(variables))
    fields = _walk(closed, [*weights, Field(1, 0, 0)])
    names = jax.tree.unflatten(jax.tree.structure(shapes), range(len(fields)))
    return {
        name: None if fields[at] is _ALL or len(shapes[name].shape) != 4 else fields[at]
        for name, at in names.items()
    }


def fields_of(classifier: Classifier) -> dict[str, Field | None]:
    """Fields of all features of a classifier at its input size, by their names."""
    size, channels = classifier.spec.input_size, classifier.spec.channels
    example = jax.ShapeDtypeStruct((1, size, size, channels), jnp.float32)
    return classifier.memo.get(
        "receptive fields",
        lambda: receptive_fields(classifier.features, classifier.variables, example),
    )


_ALL: Any = "everything"
"""The field of a unit behind a global average or a dense layer."""

_INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")


def _walk(closed: Any, inputs: list) -> list:
    """Fields of a program's outputs; of constants, None."""
    jaxpr = closed.jaxpr if isinstance(closed, ClosedJaxpr) else closed
    known = dict(zip(jaxpr.invars, inputs, strict=True))

    def field_of(atom: Any) -> Any:
        return None if isinstance(atom, Literal) else known.get(atom)

    for equation in jaxpr.eqns:
        fields = [field_of(atom) for atom in equation.invars]
        inner = [equation.params[name] for name in _INNER if name in equation.params]
        if inner:
            outputs = _walk(inner[0], fields)
        else:
            outputs = [_through(equation, fields)] * len(equation.outvars)
        known.update(zip(equation.outvars, outputs, strict=True))
    return [field_of(atom) for atom in jaxpr.outvars]


def _through(equation: Any, fields: list) -> Any:
    """The field behind one primitive operation."""
    seen = [field for field in fields if field is not None]
    if not seen:
        return None
    if _ALL in seen:
        return _ALL
    first, last = min(f.first for f in seen), max(f.last for f in seen)
    stride = max(f.stride for f in seen)
    params, after = equation.params, equation.outvars[0].aval.shape
    before = equation.invars[fields.index(seen[0])].aval.shape
    match equation.primitive.name:
        case "conv_general_dilated":
            size = equation.invars[1].aval.shape[
                params["dimension_numbers"].rhs_spec[2]
            ]
            margin, step = params["padding"][0][0], params["window_strides"][0]
            size = (size - 1) * params["rhs_dilation"][0] + 1
        case "reduce_window_max" | "reduce_window_sum" | "reduce_window":
            size, step = params["window_dimensions"][1], params["window_strides"][1]
            margin = params["padding"][1][0]
        case "slice":
            step = params["strides"][1] if params["strides"] else 1
            size, margin = 1, -params["start_indices"][1]
        case "pad":
            step, size, margin = 1, 1, params["padding_config"][1][0]
        case "reshape" if before[-1] == after[-1]:
            # All positions in a line, each with its channels.
            return Field(stride, first, last)
        case "dot_general" if before[:-1] == after[:-1] and len(seen) == 1:
            return Field(stride, first, last)
        case _:
            rows = len(before) == len(after) == 4 and before[1] == after[1]
            return Field(stride, first, last) if rows or before == after else _ALL
    first -= margin * stride
    last += (size - 1 - margin) * stride
    return Field(stride * step, first, last)
