import numpy as np

from jinv.levels import from_uint8, to_uint8


def test_every_byte_survives_the_way_to_floats_and_back():
    values = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_uint8(from_uint8(values)), values)


def test_values_are_rounded_to_the_nearest_byte():
    np.testing.assert_array_equal(to_uint8([0.4 / 255, 0.6 / 255]), [0, 1])


def test_values_outside_the_range_are_clipped():
    np.testing.assert_array_equal(to_uint8([-0.5, 1.5]), [0, 255])


def test_dull_images_are_not_stretched():
    np.testing.assert_array_equal(to_uint8([0.4, 0.6]), [102, 153])


def test_numbers_are_left_as_they_are():
    numbers = np.array([0.25, 7.0], np.float32)
    assert from_uint8(numbers) is numbers
