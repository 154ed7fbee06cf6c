import jax
import numpy as np

from jinv.images.collage import collage

KEY = jax.random.key(3)
INDEX = np.arange(8)


def seen(images, pieces=6, key=KEY):
    return np.asarray(collage(pieces)(key, INDEX, images))


def test_without_pieces_images_stay_as_they_are():
    images = jax.random.uniform(KEY, (8, 12, 12, 3))
    np.testing.assert_array_equal(seen(images, 0), images)


def test_pieces_come_from_other_images_of_the_batch():
    # Each image is of one colour, so that every pixel tells whose it is.
    numbers = np.arange(8, dtype=np.float32)
    images = np.broadcast_to(numbers[:, None, None, None], (8, 32, 32, 1))
    found = seen(images)
    pieced = [len(np.unique(np.round(image, 3))) > 1 for image in found]
    assert 3 <= sum(pieced) < 8  # the number of pieces is drawn from 0 on
    whole = np.isclose(found, np.round(found), atol=1e-5).mean((1, 2, 3))
    assert whole.min() > 0.5  # but for borders, a pixel is of one image
    kept = np.isclose(found, images, atol=1e-5).mean((1, 2, 3))
    assert 0.3 < kept.mean() < 0.95
    assert found.min() >= 0 and found.max() <= 7


def test_a_piece_is_a_window_enlarged_without_leaving_the_image():
    ramp = np.linspace(0, 1, 32, dtype=np.float32)[None, :, None, None]
    images = np.broadcast_to(ramp, (8, 32, 32, 1))
    steps = np.diff(seen(images, 1)[..., 0], axis=1)
    # Inside of a piece the ramp rises 0.3 to 1 times as fast.
    slopes = np.round(steps * 31, 3)
    inside = slopes[(slopes > 0.25) & (slopes < 0.999)]
    assert inside.size > 500
    assert np.mean(inside >= 0.299) > 0.99  # all but a few on borders


def test_steps_draw_anew_and_the_same_key_the_same():
    images = jax.random.uniform(KEY, (8, 16, 16, 3))
    np.testing.assert_array_equal(seen(images), seen(images))
    assert (seen(images) != seen(images, key=jax.random.key(4))).mean() > 0.1


def test_gradients_reach_every_image():
    images = jax.random.uniform(KEY, (8, 16, 16, 3))
    gradient = jax.jit(jax.grad(lambda x: collage(4)(KEY, INDEX, x).sum()))(images)
    # Pixels are only moved and averaged.
    gradient = np.asarray(gradient)
    np.testing.assert_allclose(gradient.sum(), 8 * 16 * 16 * 3, rtol=1e-5)
    assert float(gradient.sum((1, 2, 3)).min()) > 0
