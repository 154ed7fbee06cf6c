import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.images.views import chain, crop, flip, jitter, pad

KEY = jax.random.key(3)
INDEX = jnp.arange(6)
IMAGES = jax.random.normal(jax.random.key(0), (6, 12, 12, 3))


def shifts(view, per_image=IMAGES):
    return np.asarray(view(KEY, INDEX, per_image))


@pytest.mark.parametrize("per", ["image", "batch"])
def test_jitter_rolls_by_at_most_its_pixels(per):
    seen = shifts(jitter(2, per))
    for before, after in zip(np.asarray(IMAGES), seen, strict=True):
        rolls = [
            np.roll(before, (i, j), (0, 1)) for i in range(-2, 3) for j in range(-2, 3)
        ]
        assert any(np.array_equal(after, roll) for roll in rolls)


@pytest.mark.parametrize("per", ["image", "batch"])
def test_crop_shows_a_window_of_the_canvas(per):
    seen = shifts(crop(9, per))
    assert seen.shape == (6, 9, 9, 3)
    for before, after in zip(np.asarray(IMAGES), seen, strict=True):
        windows = [before[i : i + 9, j : j + 9] for i in range(4) for j in range(4)]
        assert any(np.allclose(after, window, atol=1e-6) for window in windows)


@pytest.mark.parametrize("make", [lambda p: jitter(3, p), lambda p: flip(0.5, p)])
def test_per_batch_treats_all_images_alike(make):
    same = jnp.broadcast_to(IMAGES[:1], IMAGES.shape)
    seen = shifts(make("batch"), same)
    assert (seen == seen[:1]).all()
    assert not (shifts(make("image"), same) == shifts(make("image"), same)[:1]).all()


def test_flip_mirrors_left_to_right_with_its_probability():
    np.testing.assert_array_equal(shifts(flip(1.0)), np.asarray(IMAGES)[:, :, ::-1])
    np.testing.assert_array_equal(shifts(flip(0.0)), np.asarray(IMAGES))


@pytest.mark.parametrize("make", [jitter(3), crop(9), flip(0.5)])
def test_what_an_image_undergoes_depends_on_its_number_alone(make):
    whole = make(KEY, INDEX, IMAGES)
    part = make(KEY, INDEX[4:], IMAGES[4:])
    np.testing.assert_array_equal(whole[4:], part)


def test_the_gradient_of_a_crop_goes_back_to_where_it_came_from():
    view = crop(9)
    ones = jax.jit(jax.grad(lambda x: view(KEY, INDEX, x).sum()))(IMAGES)
    np.testing.assert_allclose(ones.sum((1, 2, 3)), 9 * 9 * 3, rtol=1e-6)
    assert set(np.unique(np.round(ones, 5))) == {0.0, 1.0}


def test_links_of_a_chain_draw_independently():
    view = chain(flip(0.5), flip(0.5))
    index = jnp.arange(400)
    marked = jnp.broadcast_to(
        jnp.array([0.0, 1.0])[None, None, :, None], (400, 1, 2, 1)
    )
    mirrored = float(view(KEY, index, marked)[:, 0, 0, 0].mean())
    assert 0.35 < mirrored < 0.65  # 0 if both tossed the same coin


def test_pad_continues_the_border_and_keeps_the_image():
    padded = shifts(pad(2))
    np.testing.assert_array_equal(padded[:, 2:-2, 2:-2], IMAGES)
    np.testing.assert_array_equal(padded[:, 0, 5], IMAGES[:, 0, 3])
    np.testing.assert_array_equal(padded[:, -1, -1], IMAGES[:, -1, -1])
