import numpy as np
import pytest

from jinv.report.grid import grid


def plain(colours, size=32):
    """Images of one colour each."""
    rows = np.asarray(colours, np.uint8)[:, None, None, :]
    return np.broadcast_to(rows, (len(colours), size, size, 3))


def has_colour(picture, colour):
    return bool((np.asarray(picture) == np.asarray(colour)).all(-1).any())


def colour_blocks(picture, colour):
    """Rows and columns of the picture in which a colour occurs."""
    mask = (np.asarray(picture) == np.asarray(colour)).all(-1)
    return np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))


def test_grid_cells_are_exact_magnifications():
    image = np.random.default_rng(0).integers(0, 200, (1, 32, 32, 3), np.uint8)
    picture = np.asarray(grid(image, [0], ["cat"]))
    cell = picture[12:108, -108:-12]  # between margins of 12 pixels
    np.testing.assert_array_equal(cell, image[0].repeat(3, 0).repeat(3, 1))


def test_grid_sets_classes_one_under_the_other_in_their_order():
    red, blue = (200, 0, 0), (0, 0, 200)
    picture = grid(plain([blue, red, blue]), [1, 0, 1], ["cat", "ship"])
    red_rows, red_columns = colour_blocks(picture, red)
    blue_rows, blue_columns = colour_blocks(picture, blue)
    assert red_rows.max() < blue_rows.min()
    assert red_columns.min() == blue_columns.min()
    assert (len(red_columns), len(blue_columns)) == (96, 2 * 96)


def test_grid_leaves_out_classes_without_images():
    alone = grid(plain([(9, 9, 9)]), [0], ["cat"])
    among_others = grid(plain([(9, 9, 9)]), [1], ["dog", "cat", "ship"])
    assert alone.size == among_others.size


def test_grid_writes_the_class_to_the_left_of_its_row():
    picture = np.asarray(grid(plain([(200, 0, 0)]), [0], ["cat"]))
    left = picture[:, : picture.shape[1] - 96 - 2 * 12]
    assert (left < 100).all(-1).any()


def test_grid_keeps_large_images_as_they_are():
    picture = grid(plain([(200, 0, 0)] * 10, 224), [0] * 10, ["cat"])
    rows, columns = colour_blocks(picture, (200, 0, 0))
    assert (len(rows), len(columns)) == (224, 10 * 224)


def test_grid_sets_single_images_side_by_side():
    colours = [(250, 0, number) for number in range(20)]
    names = [f"class {number}" for number in range(20)]
    picture = grid(plain(colours, 224), range(20), names)
    assert picture.width < 2 * picture.height < 4 * picture.width


def test_grid_wraps_long_rows():
    picture = grid(plain([(200, 0, 0)] * 30), [0] * 30, ["cat"])
    rows, columns = colour_blocks(picture, (200, 0, 0))
    assert (len(rows), len(columns)) == (2 * 96, 15 * 96)


@pytest.mark.parametrize(
    ("images", "classes", "size"), [(1000, 100, 32), (3000, 2, 16), (200, 200, 224)]
)
def test_grid_is_never_larger_than_4000_pixels(images, classes, size):
    labels = [number % classes for number in range(images)]
    names = [f"class {number}" for number in range(classes)]
    picture = grid(plain([(200, 0, 0)] * images, size), labels, names)
    assert max(picture.size) <= 4000


def test_grid_shows_every_class_when_many_fit_side_by_side():
    colours = [(250, 0, number) for number in range(100)]
    names = [f"class {number}" for number in range(100)]
    picture = np.asarray(grid(plain(colours), range(100), names))
    blues = picture[(picture[..., 0] == 250) & (picture[..., 1] == 0), 2]
    assert np.bincount(blues).tolist() == [96 * 96] * 100


def test_grid_says_how_many_images_of_a_class_are_left_out():
    # 51 classes share 4000 pixels: a line each.
    labels = [0] * 40 + list(range(1, 51))
    names = [str(number) for number in range(51)]
    picture = grid(plain([(200, 0, 0)] * 90), labels, names)
    pale = (120, 124, 130)
    assert has_colour(picture, pale)
    few = grid(plain([(200, 0, 0)] * 51), range(51), names)
    assert not has_colour(few, pale)
