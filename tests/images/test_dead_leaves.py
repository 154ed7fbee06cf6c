import numpy as np
import pytest

from jinv.images.dead_leaves import dead_leaves
from jinv.images.shapes import Shapes, distances

IMAGES = dead_leaves(128, 32)


def test_images_are_the_same_for_any_count_and_others_for_another_seed():
    np.testing.assert_array_equal(dead_leaves(70, 32), IMAGES[:70])
    assert (dead_leaves(2, 32, seed=1) != IMAGES[:2]).mean() > 0.9


@pytest.mark.parametrize("count, size, channels", [(3, 8, 1), (0, 8, 3), (65, 7, 3)])
def test_images_are_of_the_count_size_and_channels_asked_for(count, size, channels):
    found = dead_leaves(count, size, channels)
    assert (found.shape, found.dtype) == ((count, size, size, channels), np.uint8)


def test_spectra_fall_like_those_of_natural_images():
    grey = IMAGES.mean(-1) - IMAGES.mean((1, 2, 3))[:, None, None]
    power = (abs(np.fft.fft2(grey)) ** 2).mean(0)
    frequency = np.hypot(np.fft.fftfreq(32)[:, None], np.fft.fftfreq(32)[None])
    seen = (frequency > 0) & (frequency < 0.4)
    slope, _ = np.polyfit(np.log(frequency[seen]), np.log(power[seen]), 1)
    assert -3.2 < slope < -1.8  # about 1/f² to 1/f³, as small photographs have


def test_colours_and_brightness_are_of_all_kinds():
    means = IMAGES.mean((1, 2, 3))
    assert means.min() < 60 and means.max() > 190
    colourful = np.ptp(IMAGES.mean((1, 2)), axis=-1)
    assert np.median(colourful) < 60 < colourful.max()


def test_distances_are_1_on_the_border_of_the_shape():
    def of(value):
        return np.full((1, 1, 1), value)

    turned = Shapes(of(0.5), of(0.0), of(0.0), of(1.0), of(0.4), of(0.5), of(2.0))
    # A quarter turn lays the longer axis along the height.
    y, x = np.array([0.5, 0.9, 0.5]), np.array([0.0, 0.0, 0.2])
    found = distances(turned, y[None, :, None], x[None, None])[0]
    np.testing.assert_allclose(np.diag(found), [0, 1, 1], atol=1e-12)
