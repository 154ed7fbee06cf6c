import jax
import numpy as np
import pytest

from jinv.images.transforms import ANGLES as LUCID_ANGLES
from jinv.images.transforms import FACTORS as LUCID_FACTORS
from jinv.images.transforms import transforms
from jinv.images.views import (
    chain,
    crop,
    flip,
    jitter,
    pad,
    resize,
    rotate,
    scale,
)

KEY = jax.random.key(3)
INDEX = np.arange(6)
IMAGES = np.asarray(jax.random.normal(jax.random.key(0), (6, 12, 12, 3)))


def shifts(view, per_image=IMAGES):
    # Compiled whole, as in a step: part by part it takes longer.
    return np.asarray(jax.jit(view)(KEY, INDEX, per_image))


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


FACTORS, ANGLES = (0.5, 1.0, 1.5, 2.0), (-30.0, 0.0, 45.0, 90.0)
EACH = [
    lambda p: jitter(3, p),
    lambda p: flip(0.5, p),
    lambda p: scale(FACTORS, p),
    lambda p: rotate(ANGLES, p),
    lambda p: transforms(12, 2, (2, 1), per=p),
]


@pytest.mark.parametrize("make", EACH)
def test_per_batch_treats_all_images_alike(make):
    same = np.broadcast_to(IMAGES[:1], IMAGES.shape)
    seen = shifts(make("batch"), same)
    assert (seen == seen[:1]).all()
    apart = shifts(make("image"), same)
    assert not (apart == apart[:1]).all()


def test_flip_mirrors_left_to_right_with_its_probability():
    np.testing.assert_array_equal(shifts(flip(1.0)), np.asarray(IMAGES)[:, :, ::-1])
    np.testing.assert_array_equal(shifts(flip(0.0)), np.asarray(IMAGES))


@pytest.mark.parametrize("make", [crop(9), *(make("image") for make in EACH)])
def test_what_an_image_undergoes_depends_on_its_number_alone(make):
    whole = jax.jit(make)(KEY, INDEX, IMAGES)
    part = jax.jit(make)(KEY, INDEX[4:], IMAGES[4:])
    np.testing.assert_allclose(whole[4:], part, atol=1e-6)


def test_the_gradient_of_a_crop_goes_back_to_where_it_came_from():
    view = crop(9)
    ones = jax.jit(jax.grad(lambda x: view(KEY, INDEX, x).sum()))(IMAGES)
    np.testing.assert_allclose(ones.sum((1, 2, 3)), 9 * 9 * 3, rtol=1e-6)
    assert set(np.unique(np.round(ones, 5))) == {0.0, 1.0}


def test_links_of_a_chain_draw_independently():
    view = chain(flip(0.5), flip(0.5))
    index = np.arange(400)
    marked = np.tile(np.float32([0, 1])[:, None], (400, 1, 1, 1))
    mirrored = float(jax.jit(view)(KEY, index, marked)[:, 0, 0, 0].mean())
    assert 0.35 < mirrored < 0.65  # 0 if both tossed the same coin


def test_pad_continues_the_border_and_keeps_the_image():
    padded = shifts(pad(2))
    np.testing.assert_array_equal(padded[:, 2:-2, 2:-2], IMAGES)
    np.testing.assert_array_equal(padded[:, 0, 5], IMAGES[:, 0, 3])
    np.testing.assert_array_equal(padded[:, -1, -1], IMAGES[:, -1, -1])


def test_a_margin_of_the_mean_colour_is_0():
    padded = shifts(pad(2, "mean"))
    np.testing.assert_array_equal(padded[:, 2:-2, 2:-2], IMAGES)
    assert not padded[:, :2].any() and not padded[:, :, -2:].any()


@pytest.mark.parametrize("per", ["image", "batch"])
@pytest.mark.parametrize("view", [scale, rotate])
def test_factor_1_and_angle_0_leave_images_as_they_are(view, per):
    still = view((1.0,) if view is scale else (0.0,), per)
    np.testing.assert_allclose(shifts(still, WIDE), WIDE, atol=1e-6)


WIDE = np.asarray(jax.random.normal(jax.random.key(1), (6, 7, 10, 3)))
RAMP = np.broadcast_to(np.arange(12, dtype=np.float32)[:, None, None], (6, 12, 9, 1))


@pytest.mark.parametrize("turns", [-1, 1, 2])
@pytest.mark.parametrize("size", [9, 12])
def test_right_angles_turn_as_numpy_does(turns, size):
    square = IMAGES[:, :size, :size]
    turned = shifts(rotate((90.0 * turns,)), square)
    expected = np.rot90(square, turns, (1, 2))
    np.testing.assert_allclose(turned, expected, atol=1e-4)


def test_a_scaled_ramp_is_as_much_flatter_about_its_middle():
    enlarged = shifts(scale((2.0,)), RAMP)[:, :, :, 0]
    expected = 5.5 + (np.arange(12) - 5.5) / 2
    np.testing.assert_allclose(
        enlarged, np.tile(expected[:, None], (6, 1, 9)), rtol=1e-5
    )


def test_what_comes_in_from_outside_continues_the_border():
    shrunk = shifts(scale((0.5,)), RAMP)[0, :, 4, 0]
    expected = np.clip(5.5 + 2 * (np.arange(12) - 5.5), 0, 11)
    np.testing.assert_allclose(shrunk, expected, rtol=1e-5)
    turned = shifts(rotate((45.0,)), np.full((6, 12, 12, 3), 0.7, np.float32))
    np.testing.assert_allclose(turned, 0.7, rtol=1e-6)


def test_a_rotation_interpolates_between_the_four_pixels_around():
    angle, (height, width) = np.deg2rad(20), WIDE.shape[1:3]
    turned = shifts(rotate((20.0,)), WIDE)
    r, c = np.mgrid[:height, :width] - np.array([[[3.0]], [[4.5]]])
    y = np.clip(3 + r * np.cos(angle) + c * np.sin(angle), 0, height - 1)
    x = np.clip(4.5 + c * np.cos(angle) - r * np.sin(angle), 0, width - 1)
    expected = sum(
        np.asarray(WIDE)[:, i, j][:, None, None]
        * np.maximum(0, 1 - abs(y - i))[None, ..., None]
        * np.maximum(0, 1 - abs(x - j))[None, ..., None]
        for i in range(height)
        for j in range(width)
    )
    np.testing.assert_allclose(turned, expected, atol=1e-5)


@pytest.mark.parametrize("make", [scale, rotate])
@pytest.mark.parametrize("per", ["image", "batch"])
def test_gradients_go_back_through_what_was_drawn(make, per):
    view = make(FACTORS if make is scale else ANGLES, per)
    seen = jax.jit(lambda x: view(KEY, INDEX, x))
    step = jax.random.normal(jax.random.key(2), seen(WIDE).shape)
    _, back = jax.vjp(seen, WIDE)
    # Views are linear: their gradient is their transpose.
    other = jax.random.normal(jax.random.key(4), WIDE.shape)
    np.testing.assert_allclose(
        np.vdot(back(step)[0], other), np.vdot(step, seen(other)), rtol=1e-4
    )
    assert abs(np.asarray(back(step)[0])).sum((1, 2, 3)).min() > 0


def test_each_of_the_values_is_drawn_as_often_as_it_is_given():
    view, index = scale((1.0, 1.0, 1.0, 2.0)), np.arange(400)
    ramps = np.broadcast_to(RAMP[:1, :, :1], (400, 12, 1, 1))
    enlarged = np.asarray(jax.jit(view)(KEY, index, ramps))[:, 0, 0, 0] > 1
    assert 0.18 < enlarged.mean() < 0.32


def test_resizing_keeps_a_ramp_a_ramp():
    halved = shifts(resize(6), RAMP[:, :, :6])
    np.testing.assert_allclose(np.diff(halved[:, 1:-1], axis=1), 2, rtol=1e-5)
    np.testing.assert_array_equal(shifts(resize(12)), IMAGES)


def test_the_transforms_of_lucid():
    assert LUCID_FACTORS[::5] == (0.9, 1.0, 1.1)
    assert sorted(set(LUCID_ANGLES)) == list(range(-10, 11))
    assert LUCID_ANGLES.count(0) == 6
    view = transforms(32)
    seen = jax.jit(view)(KEY, INDEX, np.ones((6, 32, 32, 3), np.float32))
    assert seen.shape == (6, 32, 32, 3)
    # The image is in the middle, and what is left of the margin around it.
    seen = np.asarray(seen)
    middle = seen[:, 13:-13, 13:-13]
    np.testing.assert_allclose(middle, 1, rtol=1e-5)
    assert (abs(seen).min((1, 2, 3)) < 0.01).all()


def test_transforms_that_do_nothing_show_the_image_as_it_is():
    still = transforms(12, 0, (0, 0), (1.0,), (0.0,))
    np.testing.assert_allclose(shifts(still), IMAGES, atol=1e-5)


@pytest.mark.parametrize("per", ["image", "batch"])
def test_windows_and_sizes_need_not_be_square(per):
    seen = shifts(crop((5, 8), per), WIDE)
    assert seen.shape == (6, 5, 8, 3)
    for before, after in zip(np.asarray(WIDE), seen, strict=True):
        windows = [before[i : i + 5, j : j + 8] for i in range(3) for j in range(3)]
        assert any(np.allclose(after, window, atol=1e-6) for window in windows)
    assert shifts(transforms((7, 10), 4, (2, 1), per=per), WIDE).shape == WIDE.shape


def test_transforms_that_do_nothing_are_left_out():
    plain = transforms((7, 10), 0, (0, 0), (1.0,), (0.0,))
    traced = jax.make_jaxpr(plain)(KEY, INDEX, WIDE)
    assert not traced.jaxpr.eqns
