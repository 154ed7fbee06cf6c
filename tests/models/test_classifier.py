from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

IMAGES = np.random.default_rng(0).integers(0, 256, (23, 8, 8, 3), dtype=np.uint8)


def test_bytes_and_numbers_are_the_same_inputs(tiny):
    numbers = IMAGES.astype(np.float32) / 255
    found = tiny.inputs_of(IMAGES)
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, tiny.inputs_of(numbers))
    np.testing.assert_array_equal(found, tiny.normalise(IMAGES))


def test_inputs_are_the_same_inside_of_a_program(tiny):
    # But for XLA's division by 255, which is a product.
    found = jax.jit(tiny.inputs_of)(IMAGES)
    np.testing.assert_allclose(found, tiny.inputs_of(IMAGES), rtol=1e-6, atol=1e-6)


def test_inputs_are_the_bytes_that_they_came_from(tiny):
    np.testing.assert_array_equal(tiny.images_of(tiny.inputs_of(IMAGES)), IMAGES)


def test_inputs_beyond_black_and_white_are_clipped(tiny):
    black, white = tiny.input_range
    inputs = np.stack([black - 1, white + 1])[:, None, None]
    np.testing.assert_array_equal(tiny.images_of(inputs)[..., 0].ravel(), [0, 255])


@pytest.mark.parametrize("place", [np.asarray, jnp.asarray])
def test_images_of_another_size_are_resized_and_others_of_its_own_normalised(
    tiny, place
):
    large = place(IMAGES.repeat(2, 1).repeat(2, 2))
    assert tiny.inputs_of(large).shape == (23, 8, 8, 3)
    np.testing.assert_allclose(
        tiny.images_of(tiny.inputs_of(place(np.full_like(large, 77)))), 77
    )
    assert tiny.normalise(large).shape == (23, 16, 16, 3)


def test_grey_images_are_shown_to_a_network_for_colour(tiny):
    grey = IMAGES[..., :1]
    found = tiny.inputs_of(grey)
    np.testing.assert_array_equal(found, tiny.inputs_of(grey.repeat(3, -1)))


def test_images_of_colour_are_shown_to_a_network_for_grey(tiny):
    spec = replace(tiny.spec, mean=(0.0,), std=(1.0,))
    found = np.asarray(replace(tiny, spec=spec).inputs_of(IMAGES))
    pillow = np.stack([np.asarray(Image.fromarray(i).convert("L")) for i in IMAGES])
    np.testing.assert_allclose(255 * found[..., 0], pillow, atol=0.51)


def test_inputs_may_be_of_a_size_asked_for(tiny):
    images = np.zeros((2, 8, 8, 1), np.uint8)
    assert tiny.inputs_of(images, (10, 6)).shape == (2, 10, 6, 3)
    np.testing.assert_array_equal(
        tiny.inputs_of(images, (8, 8)), tiny.inputs_of(images)
    )


class Unpadded(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Conv(2, (5, 5), padding="VALID")(x)
        return nn.Dense(6)(x.mean((1, 2)))


def test_inputs_of_which_nothing_would_be_left_are_not_taken(tiny):
    module = Unpadded()
    variables = module.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    unpadded = replace(tiny, module=module, variables=variables)
    assert unpadded.takes(5) and not unpadded.takes(4)


def test_other_activations_are_recomputed_as_before(tiny):
    module = tiny.spec.make_module(remat=True)
    thrifty = replace(tiny, module=module).with_activations(jnp.bfloat16)
    assert thrifty.remat and thrifty.dtype == jnp.bfloat16
    assert not tiny.with_activations(jnp.bfloat16).remat
