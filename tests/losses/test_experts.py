from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv import losses
from jinv.losses import denoising_score_matching

# Compiled whole, as in a step: part by part it takes longer.
potential = jax.jit(losses.potential, static_argnums=1)
slope = jax.jit(losses.slope, static_argnums=1)
curvature = jax.jit(losses.curvature, static_argnums=1)
score = jax.jit(losses.score, static_argnums=3)
score_matching = jax.jit(losses.score_matching, static_argnums=3)

EXPERTS = pytest.mark.parametrize("expert", ["logistic", "student-t"])
RNG = np.random.default_rng(0)
X, FILTERS, ALPHAS = RNG.normal(size=(5, 6)), RNG.normal(size=(9, 6)), RNG.random(9)
SPATIAL, ACROSS = RNG.normal(size=(9, 2)), RNG.normal(size=(9, 3))


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


@EXPERTS
def test_slope_and_curvature_are_derivatives_of_the_potential(expert):
    s = np.linspace(-4, 4, 21)
    one = jax.jit(jax.vmap(jax.value_and_grad(lambda x: potential(x, expert))))
    values, slopes = one(s)
    formula = {"logistic": -np.log(np.cosh(s)), "student-t": -np.log(1 + s**2 / 2)}
    np.testing.assert_allclose(values, formula[expert], atol=1e-12)
    np.testing.assert_allclose(slope(s, expert), slopes, atol=1e-12)
    curves = jax.jit(jax.vmap(jax.grad(lambda x: slope(x, expert))))(s)
    np.testing.assert_allclose(curvature(s, expert), curves, atol=1e-12)


@EXPERTS
def test_nothing_overflows_far_from_zero(expert):
    far = jnp.array([-1e15, 1e15], jnp.float32)
    each = [jax.grad(lambda x: potential(x, expert).sum())(far)]
    each += [function(far, expert) for function in (potential, slope, curvature)]
    assert all(np.isfinite(values).all() for values in each)


def plain(filters, alphas, expert):
    """½|psi|² + div psi by automatic differentiation, the mean over the data."""

    def log_density(x):
        return potential(filters @ x, expert) @ alphas

    def one(x):
        psi, jacobian = jax.grad(log_density)(x), jax.hessian(log_density)(x)
        return psi @ psi / 2 + jnp.trace(jacobian)

    return jnp.mean(jax.vmap(one)(X))


def same(ours, theirs, *arguments):
    both = partial(jax.value_and_grad, argnums=range(len(arguments)))
    found = jax.jit(both(ours))(*arguments)
    expected = jax.jit(both(theirs))(*arguments)
    for each, other in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
        np.testing.assert_allclose(each, other, rtol=1e-6, atol=1e-9)


@EXPERTS
def test_score_matching_is_what_autodiff_makes_of_the_density(expert):
    def ours(filters, alphas):
        found = score_matching(X @ filters.T, alphas, filters @ filters.T, expert)
        return found.mean()

    same(ours, lambda w, a: plain(w, a, expert), FILTERS, ALPHAS)


@EXPERTS
def test_separable_filters_are_never_put_together(expert):
    def ours(spatial, across, alphas):
        seen = jnp.einsum("bsc,kc,ks->bk", X.reshape(5, 2, 3), across, spatial)
        gram = (spatial @ spatial.T) * (across @ across.T)
        return score_matching(seen, alphas, gram, expert).mean()

    def theirs(spatial, across, alphas):
        filters = jnp.einsum("ks,kc->ksc", spatial, across).reshape(9, 6)
        return plain(filters, alphas, expert)

    same(ours, theirs, SPATIAL, ACROSS, ALPHAS)


@EXPERTS
def test_the_score_is_the_gradient_of_the_density(expert):
    one = jax.grad(lambda x: potential(FILTERS @ x, expert) @ ALPHAS)
    gradient = jax.jit(jax.vmap(one))(X)
    found = score(X @ FILTERS.T, ALPHAS, FILTERS, expert)
    np.testing.assert_allclose(found, gradient, atol=1e-12)


def test_denoising_score_matching_is_half_the_error_of_the_estimate_in_noises():
    clean, noise, sigma = X, RNG.normal(size=X.shape), 0.3
    noisy = clean + sigma * noise
    scores = score(noisy @ FILTERS.T, ALPHAS, FILTERS, "student-t")
    estimate = noisy + sigma**2 * scores
    expected = np.square(estimate - clean).sum(-1) / sigma**2 / 2
    found = denoising_score_matching(scores, noise, sigma)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("count", [1, 3])
def test_the_value_of_a_datum_does_not_depend_on_the_others(count):
    seen = X[:count] @ FILTERS.T
    found = score_matching(seen, ALPHAS, FILTERS @ FILTERS.T, "logistic")
    whole = score_matching(X @ FILTERS.T, ALPHAS, FILTERS @ FILTERS.T, "logistic")
    np.testing.assert_allclose(found, whole[:count], rtol=1e-12)
