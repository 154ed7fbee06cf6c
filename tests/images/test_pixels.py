import jax
import jax.numpy as jnp
import numpy as np

from jinv.images.pixels import Pixels, bound_norms, clip


def test_noise_of_an_image_depends_on_its_number_alone():
    pixels = Pixels(8, margin=2)
    whole = pixels.init(jax.random.key(0), jnp.arange(5))
    assert whole.shape == (5, 12, 12, 3)
    part = pixels.init(jax.random.key(0), jnp.arange(3, 5))
    np.testing.assert_array_equal(whole[3:], part)
    assert not np.array_equal(whole[3], whole[4])


def test_inner_cuts_the_margin_off():
    pixels = Pixels(4, margin=1)
    canvas = jnp.arange(36.0).reshape(1, 6, 6, 1)
    np.testing.assert_array_equal(
        pixels.inner(canvas)[0, :, :, 0], canvas[0, 1:5, 1:5, 0]
    )


def test_enlarging_repeats_pixels():
    small = jnp.arange(4.0).reshape(1, 2, 2, 1)
    expected = np.kron(np.arange(4.0).reshape(2, 2), np.ones((2, 2)))
    np.testing.assert_array_equal(Pixels(4).upsample(small)[0, :, :, 0], expected)


def test_clip_bounds_each_channel():
    low, high = np.array([-1.0, 0.0, 1.0]), np.array([0.0, 1.0, 2.0])
    clipped = clip(jnp.array([[[[-9.0, 0.5, 9.0]]]]), low, high)
    np.testing.assert_array_equal(clipped, [[[[-1.0, 0.5, 2.0]]]])


def test_norms_of_colours_are_bounded_and_their_directions_kept():
    pixels = 2 * jax.random.normal(jax.random.key(1), (2, 5, 4, 3)).at[0, 0].set(0)
    bounded, norms = bound_norms(pixels, 3.0), jnp.linalg.norm(pixels, axis=-1)
    small, large = np.asarray(norms <= 3), np.asarray(norms > 3)
    assert small.any() and large.any()
    np.testing.assert_array_equal(bounded[small], pixels[small])
    expected = 3 * pixels[large] / norms[large][:, None]
    np.testing.assert_allclose(bounded[large], expected, rtol=1e-6)
