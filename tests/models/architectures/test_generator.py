from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jinv.errors import ConfigError
from jinv.models.architectures.generator import Generator, MomentNorm, plan_sizes
from jinv.models.operations.moments import unshared

LATENT = np.random.default_rng(1).normal(size=(8, 5)).astype(np.float32)


def outline(module, width):
    """Shapes of the parameters, and of the images from two latents."""
    image, variables = jax.eval_shape(
        partial(module.init_with_output, jax.random.key(0)), jnp.zeros((2, width))
    )
    return variables, image.shape


def lively(module, latent):
    """Parameters none of which is 0 or 1."""
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(partial(module.init, jax.random.key(0)), latent)

    def draw(path, leaf):
        noise = rng.normal(size=leaf.shape).astype(np.float32)
        if path[-1].key == "scale":
            return 1 + 0.2 * noise
        return noise / np.sqrt(max(1, leaf.size // leaf.shape[-1]))

    return jax.tree_util.tree_map_with_path(draw, shapes)


def plain(params, x, base, activate_first):
    """The same network in float64, as the paper describes it."""
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)

    def convolve(x, layer):
        kernel = layer["kernel"]
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
        return np.einsum("bhwcij,ijco->bhwo", windows, kernel) + layer["bias"]

    def normalise(x, layer):
        normal = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5)
        return normal * layer["scale"] + layer["bias"]

    def activate(x):
        return np.where(x > 0, x, 0.2 * x)

    dense = params["dense"]
    x = np.asarray(x, np.float64) @ dense["kernel"] + dense["bias"]
    x = normalise(x.reshape(len(x), base, base, -1), params["norm0"])
    x = activate(x) if activate_first else x
    for number in (1, 2):
        x = convolve(x.repeat(2, 1).repeat(2, 2), params[f"conv{number}"])
        x = activate(normalise(x, params[f"norm{number}"]))
    return convolve(x, params["colours"])


def test_the_published_generator_has_its_published_size():
    variables, shape = outline(Generator(), 1024 + 10)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == 8_702_467
    assert shape == (2, 32, 32, 3)
    assert set(variables) == {"params"}


def test_each_doubling_halves_the_channels_down_to_16():
    variables, shape = outline(Generator(base=7, doublings=5), 9)
    assert shape == (2, 224, 224, 3)
    widths = [variables["params"][f"norm{n}"]["scale"].size for n in range(6)]
    assert widths == [128, 128, 64, 32, 16, 16]


@pytest.mark.parametrize("activate_first", [False, True])
def test_images_are_those_of_a_plain_computation(activate_first):
    module = Generator(40, 3, 2, activate_first)
    variables = lively(module, LATENT)
    found = jax.jit(module.apply)(variables, LATENT)
    expected = plain(variables["params"], LATENT, 3, activate_first)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_parameters_start_as_published():
    init = jax.jit(Generator(64).init)
    params = init(jax.random.key(3), jnp.zeros((1, 300)))["params"]
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        match path[-1].key:
            case "bias":
                assert not leaf.any()
            case "scale":
                np.testing.assert_allclose(leaf.mean(), 1, atol=0.02)
                np.testing.assert_allclose(leaf.std(), 0.02, rtol=0.5)
    spread = params["conv1"]["kernel"].std()
    np.testing.assert_allclose(spread, np.sqrt(2 / (9 * 64)), rtol=0.05)


def test_maps_are_normalised_by_the_moments_of_their_batch():
    x = 3 + 2 * jax.random.normal(jax.random.key(4), (6, 5, 4, 3))
    params = {"scale": jnp.array([1.0, 2.0, -3.0]), "bias": jnp.array([0.0, 5.0, 1.0])}
    found = MomentNorm().apply({"params": params}, x)
    np.testing.assert_allclose(found.mean((0, 1, 2)), params["bias"], atol=1e-4)
    np.testing.assert_allclose(found.std((0, 1, 2)), abs(params["scale"]), rtol=1e-4)


def test_the_order_of_a_batch_is_that_of_its_images():
    module = Generator(16, 2, 1)
    variables = lively(module, LATENT)
    order = np.array([3, 1, 7, 0, 2, 6, 5, 4])
    apply = jax.jit(module.apply)
    images = np.asarray(apply(variables, LATENT))
    assert np.abs(images[order] - images).max() > 0.1
    found = apply(variables, LATENT[order])
    np.testing.assert_allclose(found, images[order], atol=1e-5)


def test_devices_that_share_a_batch_make_and_learn_what_one_does():
    def outcome(average, variables, latent):
        module = Generator(16, 2, 1, average=average)

        def loss(variables):
            images = module.apply(variables, latent)
            return average(jnp.mean(jnp.sin(images))), images

        # Of the sum of all devices' losses, in each device's copy of the parameters.
        gradients, images = jax.grad(loss, has_aux=True)(variables)
        return average(gradients), images

    variables = lively(Generator(16, 2, 1), LATENT)
    alone = jax.jit(partial(outcome, unshared))
    gradients, images = alone(variables, LATENT)
    mean = partial(lax.pmean, axis_name="team")
    mapped = jax.pmap(partial(outcome, mean), "team", in_axes=(None, 0))
    found_gradients, found = mapped(variables, LATENT.reshape(2, 4, -1))
    found = found.reshape(images.shape)
    np.testing.assert_allclose(found, images, atol=1e-4)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a[1], b, atol=1e-5),
        found_gradients,
        gradients,
    )
    assert max(jnp.abs(leaf).max() for leaf in jax.tree.leaves(gradients)) > 1e-2


def test_activations_in_bfloat16_make_images_in_float32():
    variables = lively(Generator(16, 2, 1), LATENT)
    narrow = Generator(16, 2, 1, dtype=jnp.bfloat16)
    found = jax.jit(narrow.apply)(variables, LATENT)
    expected = jax.jit(Generator(16, 2, 1).apply)(variables, LATENT)
    assert found.dtype == jnp.float32
    assert 0 < np.abs(found - expected).max() < 0.1 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("size", "plan"),
    [
        (32, (8, 2)),
        (28, (7, 2)),
        (64, (8, 3)),
        (224, (7, 5)),
        (240, (15, 4)),
        (16, (8, 1)),
        (10, (5, 1)),
        (8, (4, 1)),
    ],
)
def test_sizes_are_doubled_bases(size, plan):
    assert plan_sizes(size) == plan


@pytest.mark.parametrize(
    ("size", "nearest"),
    [(299, "288 or 320"), (260, "256 or 288"), (15, "14 or 16"), (0, "2")],
)
def test_sizes_that_no_generator_makes_are_refused_with_the_nearest(size, nearest):
    with pytest.raises(ConfigError, match=rf"; {size} is none: take {nearest}$"):
        plan_sizes(size)
