import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.transfer.examples import shuffled, training_view

KEY = jax.random.key(1)
IMAGE = np.random.default_rng(0).random((1, 8, 8, 3)).astype(np.float32)


@pytest.mark.parametrize(("seen", "margin"), [(8, 2), (6, 0), (6, 2), (8, 0)])
def test_what_is_seen_are_windows_of_the_reflected_image(seen, margin):
    images = jnp.asarray(np.repeat(IMAGE, 50, 0))
    view = training_view(8, seen, margin, mirrored=True)
    found = np.asarray(view(KEY, jnp.arange(50), images))
    margin = margin if seen == 8 else 0
    wide = np.pad(IMAGE[0], ((margin, margin), (margin, margin), (0, 0)), "reflect")
    places = range(8 + 2 * margin - seen + 1)
    windows = [wide[i : i + seen, j : j + seen] for i in places for j in places]
    windows += [window[:, ::-1] for window in windows]
    assert all(any(np.array_equal(one, w) for w in windows) for one in found)
    assert len({one.tobytes() for one in found}) > min(len(windows) // 2, 20)


@pytest.mark.parametrize("mirrored", [True, False])
def test_images_are_mirrored_only_if_they_may_be(mirrored):
    images = jnp.zeros((64, 8, 8, 3)).at[:, :, :4].set(1.0)
    found = training_view(8, 8, 0, mirrored)(KEY, jnp.arange(64), images)
    share = float((found[:, 0, 0, 0] == 0).mean())
    assert (0.3 < share < 0.7) if mirrored else share == 0


def test_two_networks_can_see_the_same_view():
    images = jnp.asarray(np.repeat(IMAGE, 6, 0))
    view = training_view(8, 8, 2, mirrored=True)
    whole = view(KEY, jnp.arange(6), images)
    np.testing.assert_array_equal(view(KEY, jnp.arange(6), images), whole)
    np.testing.assert_array_equal(view(KEY, jnp.arange(4, 6), images[:2]), whole[4:])


def test_an_epoch_can_be_entered_anywhere(stripes):
    data = stripes[0]
    whole = list(shuffled(data, 32, seed=3, seen=None, epoch=1, first=0))
    rest = list(shuffled(data, 32, seed=3, seen=None, epoch=1, first=5))
    assert len(whole) == 12 and len(rest) == 7
    for one, other in zip(whole[5:], rest, strict=True):
        jax.tree.map(np.testing.assert_array_equal, one, other)
    index = np.concatenate([one.index for one in whole])
    assert sorted(index) == list(range(384))
    np.testing.assert_array_equal(data.labels[whole[0].index], whole[0].labels)
