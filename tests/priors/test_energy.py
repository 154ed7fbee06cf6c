from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.losses import potential
from jinv.priors import energy as energies
from jinv.priors.denoiser import apply_denoiser, draw_denoiser
from jinv.priors.energy import draw_shifts
from jinv.priors.form import Form, Subject
from jinv.priors.map_step import map_step

# Compiled whole, as in a step: part by part it takes longer.
energy = jax.jit(energies.energy, static_argnums=0, static_argnames="stride")
score = jax.jit(energies.score, static_argnums=0)

RNG = np.random.default_rng(0)


def draw(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def common(count):
    numbers = {"offsets": draw(count), "alphas": np.abs(draw(count))}
    return numbers | {"mean": np.float32(0.3), "deviation": np.float32(2)}


FULL = Form(Subject(3), 3, 5, expert="logistic")
SEPARABLE = Form(
    Subject(6, "relu1", "net", "ab", (0, 2, 3, 5)), 3, 2, layout="separable"
)
CHANNELWISE = Form(Subject(3), 2, 2, layout="channelwise")
VARIABLES = {
    FULL: {"filters": draw(7, 3, 5, 3), **common(7)},
    SEPARABLE: {"spatial": draw(5, 3, 2), "across": draw(5, 4), **common(5)},
    CHANNELWISE: {
        "filters": draw(4, 2, 2, 1),
        "centre": draw(3),
        "scale": np.abs(draw(3)),
        **common(4),
    },
}
FORMS = pytest.mark.parametrize("form", VARIABLES, ids=lambda form: form.layout)


def slow_energy(form, variables, values):
    """The formula, patch by patch."""
    values = values[..., list(form.subject.chosen) or slice(None)]
    if form.layout == "separable":
        filters = np.einsum("khw,kc->khwc", variables["spatial"], variables["across"])
    else:
        filters = variables["filters"]
    if form.layout == "channelwise":
        values = (values - variables["centre"]) * variables["scale"]
        parts = [values[..., [c]] for c in range(values.shape[-1])]
    else:
        parts = [values]
    found = []
    for image in zip(*parts, strict=True):
        each = [
            -variables["alphas"]
            @ potential(
                np.tensordot(filters, part[i : i + form.height, j : j + form.width], 3)
                - variables["offsets"],
                form.expert,
            )
            for part in image
            for i in range(part.shape[0] - form.height + 1)
            for j in range(part.shape[1] - form.width + 1)
        ]
        found.append((np.mean(each) - variables["mean"]) / variables["deviation"])
    return found


def values_for(form, batch=2, height=7, width=9):
    return draw(batch, height, width, form.subject.channels)


@FORMS
def test_energy_is_the_mean_over_all_patches_in_natural_units(form):
    values = values_for(form)
    found = energy(form, VARIABLES[form], values)
    expected = slow_energy(form, VARIABLES[form], values)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@FORMS
@pytest.mark.parametrize("stride", [2, 4])
def test_a_random_grid_estimates_it_without_bias(form, stride):
    values, variables = values_for(form, 1), VARIABLES[form]
    every = np.stack(np.meshgrid(*2 * [np.arange(stride)]), -1).reshape(-1, 2)
    # Where there are fewer places than the stride is long, these are the shifts.
    places = [7 - form.height + 1, 9 - form.width + 1]
    steps = np.minimum(stride, places)
    every = np.array([s for s in every if (s < steps).all()])
    shifts = ((every + 0.5) / steps).astype(np.float32)
    function = partial(energy, form, variables, stride=stride)
    both = jax.jit(jax.value_and_grad(lambda x, s: function(x, s).mean()))
    many = np.broadcast_to(values, (len(shifts), *values.shape[1:]))
    found, slope = both(many, shifts)
    whole, expected = jax.value_and_grad(lambda x: energy(form, variables, x).sum())(
        values
    )
    np.testing.assert_allclose(found, whole, rtol=1e-4)
    np.testing.assert_allclose(slope.sum(0), expected[0], atol=1e-5)


def test_shifts_belong_to_images():
    key = jax.random.key(3)
    shifts = draw_shifts(key, jnp.arange(5))
    np.testing.assert_array_equal(
        draw_shifts(key, jnp.array([3, 1])), shifts[np.array([3, 1])]
    )
    assert ((shifts >= 0) & (shifts < 1)).all() and len(np.unique(shifts)) == 10


@FORMS
def test_the_score_is_the_gradient_of_all_patches_together(form):
    values, variables = values_for(form, 1), VARIABLES[form]
    patches = (7 - form.height + 1) * (9 - form.width + 1)
    slope = jax.grad(lambda x: energy(form, variables, x).sum())(values)
    found = score(form, variables, values)
    np.testing.assert_allclose(found, -2 * patches * slope, rtol=1e-4, atol=1e-4)


DAE = Form(Subject(3), 9, 9, kind="dae")


@pytest.fixture
def denoiser():
    layers = draw_denoiser(jax.random.key(0), 3, 5, 3)
    layers[-1] = layers[-1]._replace(kernel=0.2 * draw(3, 3, 5, 3))
    layers = jax.tree.map(np.asarray, layers)
    own = {"centre": draw(3), "scale": np.float32([1, 2, 3]), "sigma": np.float32(0.5)}
    return {"layers": layers, **own, "mean": np.float32(0), "deviation": np.float32(2)}


def test_the_gradient_of_a_denoiser_is_what_it_takes_away(denoiser):
    values = draw(2, 6, 7, 3)
    scaled = (values - denoiser["centre"]) * denoiser["scale"]
    away = np.asarray(scaled - apply_denoiser(denoiser["layers"], scaled)) / 0.5**2
    # But for the mean of an image, of which it says nothing.
    away -= away.mean((1, 2), keepdims=True)
    slope = jax.grad(lambda x: energy(DAE, denoiser, x).sum())(values)
    expected = away * denoiser["scale"]
    np.testing.assert_allclose(slope, expected / (6 * 7 * 2), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        score(DAE, denoiser, values), -expected, rtol=1e-4, atol=1e-4
    )


def test_a_map_step_descends_and_leaves_without_a_prior_what_was_seen():
    form = Form(Subject(1), 3, 3)
    variables = {"filters": draw(4, 3, 3, 1), **common(4)}
    noisy, image = draw(1, 8, 9, 1), draw(1, 8, 9, 1)
    step = partial(map_step, form, variables)
    np.testing.assert_allclose(step(image, noisy, 0.0, 1.0), noisy, atol=1e-6)

    def objective(x):
        wide = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "symmetric")
        total = energy(form, variables, wide)[0] * 2 + 0.3
        return 0.5 * np.square(x - noisy).sum() + 0.1 * 72 * total

    assert objective(step(image, noisy, 0.1, 0.05)) < objective(image)
