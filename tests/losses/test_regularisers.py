from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.losses import (
    alpha_norm,
    anisotropic_variation,
    pixel_norm,
    squared_differences,
    total_variation,
)

IMAGES = np.random.default_rng(0).normal(size=(3, 5, 6, 3))


def differences(x):
    dx, dy = np.zeros_like(x), np.zeros_like(x)
    dx[:, :-1] = x[:, 1:] - x[:, :-1]
    dy[:-1] = x[1:] - x[:-1]
    return dx, dy


def variation(beta, x):
    dx, dy = differences(x)
    value = ((dx**2 + dy**2) ** (beta / 2)).sum()
    slope = beta * np.maximum(dx**2 + dy**2, 1e-30) ** (beta / 2 - 1)
    return value, spread(slope * dx, slope * dy)


def spread(by_dx, by_dy):
    """The gradient by pixels of what has these gradients by its differences."""
    gradient = -by_dx - by_dy
    gradient[:, 1:] += by_dx[:, :-1]
    gradient[1:] += by_dy[:-1]
    return gradient


def anisotropic(x):
    dx, dy = differences(x)
    return abs(dx).sum() + abs(dy).sum(), spread(np.sign(dx), np.sign(dy))


def norm(alpha, x):
    return (abs(x) ** alpha).sum(), alpha * np.sign(x) * abs(x) ** (alpha - 1)


def centred_norm(alpha, x):
    value, gradient = norm(alpha, x - x.mean())
    return value, gradient - gradient.mean()


def colour_norm(bound, alpha, x):
    norms, pixels = np.sqrt((x**2).sum(-1, keepdims=True)), x.shape[0] * x.shape[1]
    value = (norms**alpha).sum() / (pixels * bound**alpha)
    return value, alpha * norms ** (alpha - 2) * x / (pixels * bound**alpha)


TERMS = {
    **{
        f"V^{beta}": (partial(total_variation, beta=beta), partial(variation, beta))
        for beta in (1, 1.5, 2, 3)
    },
    "anisotropic": (anisotropic_variation, anisotropic),
    "squared": (squared_differences, partial(variation, 2)),
    **{
        f"alpha {alpha}": (
            partial(alpha_norm, alpha=alpha),
            partial(centred_norm, alpha),
        )
        for alpha in (1, 2, 6)
    },
    "alpha as published": (partial(alpha_norm, own_mean=False), partial(norm, 6)),
    **{
        f"N_{alpha}": (
            partial(pixel_norm, bound=0.7, alpha=alpha),
            partial(colour_norm, 0.7, alpha),
        )
        for alpha in (1, 2.5, 6)
    },
}


@pytest.mark.parametrize("name", TERMS)
@pytest.mark.parametrize(("wide", "rtol"), [(True, 1e-12), (False, 2e-5)])
def test_values_and_gradients_are_those_of_the_formula(name, wide, rtol):
    term, formula = TERMS[name]
    with jax.enable_x64(wide):
        images = jnp.asarray(IMAGES)
        values, back = jax.vjp(jax.jit(term), images)
        (gradients,) = back(jnp.ones_like(values))
        assert values.dtype == gradients.dtype == images.dtype
    for image, value, gradient in zip(IMAGES, values, gradients, strict=True):
        expected, slope = formula(image)
        np.testing.assert_allclose(value, expected, rtol=rtol)
        np.testing.assert_allclose(
            gradient, slope, rtol=rtol, atol=rtol * abs(slope).max()
        )


@pytest.mark.parametrize("name", TERMS)
def test_an_image_has_its_value_in_any_batch(name):
    term, images = jax.jit(TERMS[name][0]), np.float32(IMAGES)
    alone = np.concatenate([term(images[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(term(images), alone, rtol=1e-6)


@pytest.mark.parametrize("name", TERMS)
@pytest.mark.parametrize("level", [0.0, 0.5])
def test_gradients_of_a_constant_image_are_finite(name, level):
    term, _ = TERMS[name]
    constant = np.full((2, 4, 4, 3), level, np.float32)
    gradient = jax.jit(jax.grad(lambda x: term(x).sum()))(constant)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("beta", [1.0, 1.5])
def test_the_guard_bounds_the_slope_where_differences_are_tiny(beta):
    # As published: max((dx² + dy²)^(β/2), 1e-5)^((β - 2) / β).
    step = 1e-7
    image = np.float32([0, step]).reshape(1, 1, 2, 1)
    both = jax.value_and_grad(lambda x: total_variation(x, beta)[0])
    value, gradient = jax.jit(both)(image)
    np.testing.assert_allclose(value, step**beta, rtol=1e-5)
    expected = beta * 1e-5 ** ((beta - 2) / beta) * step
    np.testing.assert_allclose(gradient.ravel(), [-expected, expected], rtol=1e-5)


def test_powers_of_bytes_do_not_overflow():
    bright = np.full((1, 224, 224, 3), 255, np.float32)
    np.testing.assert_allclose(
        alpha_norm(bright, own_mean=False), 255.0**6 * 224**2 * 3, rtol=1e-5
    )
