"""Masked weights give the numbers of PyTorch (`scripts/record_supermask_parity.py`)."""

from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.models.operations.layers import Conv
from jinv.models.operations.masks import kept_count, sampled_mask, top_mask
from jinv.models.weights.state_dict import kernel_from_torch, kernel_to_torch
from jinv.supermask.published import published_mask

RULES = ("top0.3", "top0.5", "drawn")


@pytest.fixture(params=["conv", "dense"])
def layer(request):
    """A layer's name and what is recorded of it."""
    with np.load(Path(__file__).parent / "recorded" / "layers.npz") as arrays:
        prefix = f"{request.param}."
        recorded = {
            key.removeprefix(prefix): value
            for key, value in arrays.items()
            if key.startswith(prefix)
        }
    return request.param, recorded


def mask_of(rule, scores):
    if rule == "drawn":
        return sampled_mask(scores, jax.random.key(0))
    return top_mask(scores, kept_count(float(rule.removeprefix("top")), scores.size))


def forward(name, inputs, kernel) -> Any:
    """Outputs, laid out as PyTorch has them."""
    if name == "dense":
        return nn.Dense(kernel.shape[-1], use_bias=False).apply(
            {"params": {"kernel": kernel}}, inputs
        )
    outputs: Any = Conv(kernel.shape[-1], 3).apply(
        {"params": {"kernel": kernel}}, jnp.transpose(inputs, (0, 2, 3, 1))
    )
    return jnp.transpose(outputs, (0, 3, 1, 2))


@pytest.mark.parametrize("rule", RULES)
def test_masks_outputs_and_gradients_of_scores_are_those_of_pytorch(
    layer, rule, monkeypatch
):
    name, recorded = layer
    weight, scores, uniform = (
        kernel_from_torch(recorded[key]) for key in ("weight", "scores", "uniform")
    )
    # PyTorch's draw in the place of ours.
    monkeypatch.setattr(jax.random, "uniform", lambda *_: uniform)

    def loss(scores):
        mask = mask_of(rule, scores)
        outputs = forward(name, recorded["inputs"], weight * mask)
        return jnp.mean(outputs**2), (mask, outputs)

    gradient, (mask, outputs) = jax.jit(jax.grad(loss, has_aux=True))(scores)
    np.testing.assert_array_equal(
        kernel_to_torch(np.asarray(mask)), recorded[f"{rule}.mask"]
    )
    np.testing.assert_allclose(
        outputs, recorded[f"{rule}.output"], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        kernel_to_torch(np.asarray(gradient)),
        recorded[f"{rule}.gradient"],
        rtol=1e-5,
        atol=1e-7,
    )


@pytest.mark.parametrize("fraction", [0.3, 0.5])
def test_published_masks_are_those_of_pytorch(layer, fraction):
    recorded = layer[1]
    np.testing.assert_array_equal(
        published_mask(recorded["scores"], fraction), recorded[f"top{fraction}.mask"]
    )
