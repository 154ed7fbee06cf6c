"""What a prior costs beside a network, counted in the programs."""

import jax
import jax.numpy as jnp
import pytest

from jinv.models.zoo import classifier_spec
from jinv.priors.denoiser import draw_denoiser
from jinv.priors.energy import energy
from jinv.priors.form import Form, Subject


def flops(function, *arguments):
    return jax.jit(function).lower(*arguments).cost_analysis()["flops"]


def array(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


IMAGES = array(1, 224, 224, 3)


DENSE = 9216 * 4096 + 4096 * 4096 + 4096 * 1000
"""Products in AlexNet's dense layers, which the zoo's network leaves out."""


@pytest.fixture(scope="module")
def alexnet():
    """Operations of AlexNet, forward and backward, on an image of 224²."""
    module = classifier_spec("alexnet_features").make_module()
    variables = jax.eval_shape(module.init, jax.random.key(0), IMAGES)

    def loss(images, variables):
        return jnp.sum(module.apply(variables, images))

    return flops(jax.value_and_grad(loss), IMAGES, variables) + 4 * DENSE


def cost(form, variables, grid=False):
    def total(images, variables):
        shifts = jnp.zeros((1, 2)) if grid else None
        return jnp.sum(energy(form, variables, images, shifts))

    return flops(jax.value_and_grad(total), IMAGES, variables)


def test_a_grid_of_512_filters_costs_less_than_half_of_alexnet(alexnet):
    numbers = {name: array(512) for name in ("offsets", "alphas")}
    numbers |= {name: array() for name in ("mean", "deviation")}
    form, variables = Form(Subject(3), 8, 8), {"filters": array(512, 8, 8, 3)} | numbers
    assert 0.3 < cost(form, variables, grid=True) / alexnet < 0.5
    assert cost(form, variables) / alexnet > 5


def test_a_denoiser_costs_less_than_half_of_alexnet(alexnet):
    layers = jax.eval_shape(lambda key: draw_denoiser(key, 3), jax.random.key(0))
    own = {name: array(3) for name in ("centre", "scale")}
    numbers = {name: array() for name in ("mean", "deviation", "sigma")}
    form = Form(Subject(3), 9, 9, "dae")
    assert cost(form, {"layers": layers, **own, **numbers}) / alexnet < 0.5
