import numpy as np
import pytest

from jinv.report.differences import (
    absolute_difference,
    busiest_place,
    difference_sheet,
    signed_difference,
)

RNG = np.random.default_rng(0)


def places(sheet, tile):
    """Left upper corners at which a tile stands in a sheet, whole."""
    sheet, (height, width) = np.asarray(sheet), tile.shape[:2]
    first = np.argwhere((sheet == tile[0, 0]).all(-1))
    return [
        (int(left), int(top))
        for top, left in first
        if np.array_equal(sheet[top : top + height, left : left + width], tile)
    ]


def pair(size):
    targets = RNG.integers(0, 256, (2, size, size, 3)).astype(np.uint8)
    targets[:, : size // 2] = 128  # busy below alone
    return targets, np.roll(targets, 1, 2)


def test_a_signed_difference_lies_about_grey():
    target = np.zeros((1, 3, 1))
    image = target + np.array([0.5, -0.25, 0])[None, :, None] + 0.3
    picture, most = signed_difference(image, target + 0.3)
    assert picture.ravel().tolist() == [255, 64, 128]
    assert most == pytest.approx(0.5)


def test_an_absolute_difference_lies_above_black():
    target = np.full((1, 3, 1), 0.5)
    image = target + np.array([0.5, -0.25, 0])[None, :, None]
    picture, most = absolute_difference(image, target)
    assert picture.ravel().tolist() == [255, 128, 0]
    assert most == pytest.approx(0.5)


def test_bytes_are_subtracted_as_numbers():
    dark, light = (np.full((2, 2, 3), value, np.uint8) for value in (10, 61))
    assert signed_difference(dark, light)[0].max() == 0
    assert absolute_difference(dark, light)[1] == pytest.approx(0.2)


def test_equal_images_differ_nowhere():
    image = RNG.random((4, 4, 3))
    assert (
        signed_difference(image, image)[0].tolist() == np.full_like(image, 128).tolist()
    )
    picture, most = absolute_difference(image, image)
    assert picture.max() == most == 0


def test_the_busiest_place_has_the_greatest_variance():
    image = RNG.random((40, 31, 3)) * np.linspace(0, 1, 40)[:, None, None]
    found = busiest_place(image, 9)
    variances = {
        (row, column): image[row : row + 9, column : column + 9].var((0, 1)).sum()
        for row in range(32)
        for column in range(23)
    }
    assert found == max(variances, key=variances.__getitem__)


def test_an_image_without_a_busy_place_has_its_first_one():
    assert busiest_place(np.full((70, 70, 3), 0.3)) == (0, 0)


def test_small_images_stand_in_a_row_with_their_differences():
    targets, images = pair(32)
    sheet = difference_sheet(targets, images, ["one", "other"], ["12 dB", "13 dB"])
    for target, image in zip(targets, images, strict=True):
        signed, absolute = (
            signed_difference(image, target),
            absolute_difference(image, target),
        )
        row = [
            places(sheet, tile.repeat(3, 0).repeat(3, 1))
            for tile in (target, image, signed[0], absolute[0])
        ]
        assert all(len(found) == 1 for found in row)
        (lefts, tops) = zip(*(found[0] for found in row), strict=True)
        assert list(lefts) == sorted(lefts)
        assert len(set(tops)) == 1


def test_large_images_have_a_detail_of_both_at_the_same_place():
    targets, images = pair(120)
    sheet = difference_sheet(targets, images, ["one", "other"])
    for target, image in zip(targets, images, strict=True):
        row, column = busiest_place(target)
        detail = np.s_[row : row + 56, column : column + 56]
        (left, top), (right, level) = (
            places(sheet, x[detail].repeat(2, 0).repeat(2, 1))[0]
            for x in (target, image)
        )
        assert left < right and top == level
        # The target is framed there, and the reconstruction is as it was.
        assert places(sheet, image) and not places(sheet, target)
        inside = np.s_[row + 2 : row + 54, column + 2 : column + 54]
        assert places(sheet, target[inside])


def test_what_does_not_fit_in_4000_pixels_is_left_out():
    targets = np.zeros((60, 224, 224, 1), np.uint8)
    sheet = difference_sheet(targets, targets, ["x"] * 60)
    assert max(sheet.size) <= 4000


@pytest.mark.parametrize(
    ("targets", "images", "titles", "notes"),
    [
        (np.zeros((0, 8, 8, 3)), np.zeros((0, 8, 8, 3)), [], []),
        (np.zeros((2, 8, 8, 3)), np.zeros((1, 8, 8, 3)), ["a", "b"], []),
        (np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 9, 3)), ["a", "b"], []),
        (np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 8, 3)), ["a"], []),
        (np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 8, 3)), ["a", "b"], ["x"]),
        (np.zeros((8, 8, 3)), np.zeros((8, 8, 3)), ["a"] * 8, []),
    ],
)
def test_what_does_not_fit_together_is_refused(targets, images, titles, notes):
    with pytest.raises(ValueError, match="do not fit together"):
        difference_sheet(targets, images, titles, notes)
