from typing import NamedTuple

import numpy as np
import pytest

from jinv.report.neighbour_sheet import neighbour_sheet

SIDE = 96  # of a cell that shows an image of 32 pixels
SYNTHETIC, REAL, BLUE = 200, 0, 77


class Box(NamedTuple):
    left: int
    top: int
    width: int
    height: int


def plain(*shape, red=REAL, size=32):
    """Images of one colour each, whose green is their number."""
    count = int(np.prod(shape))
    images = np.full((count, size, size, 3), BLUE, np.uint8)
    images[..., 0] = red
    images[..., 1] = np.arange(count)[:, None, None]
    return images.reshape(*shape, size, size, 3)


def sheet(count, k=2, size=32, title="cat"):
    images, neighbours = (
        plain(count, red=SYNTHETIC, size=size),
        plain(count, k, size=size),
    )
    return neighbour_sheet(images, neighbours, np.ones((count, k)), [title] * count)


def boxes(picture, red):
    """Where the plain images of a kind are, in the order of their numbers."""
    pixels = np.asarray(picture)
    y, x = np.nonzero((pixels[..., 0] == red) & (pixels[..., 2] == BLUE))
    number = pixels[y, x, 1]
    starts, ends = np.full((2, 256), 9999), np.full((2, 256), -1)
    for axis, values in enumerate((x, y)):
        np.minimum.at(starts[axis], number, values)
        np.maximum.at(ends[axis], number, values)
    found = np.unique(number)
    assert found.tolist() == list(range(len(found)))
    return [
        Box(*starts[:, n].tolist(), *(ends - starts + 1)[:, n].tolist()) for n in found
    ]


def test_a_row_holds_a_synthetic_image_and_then_its_neighbours_in_order():
    picture = sheet(3, k=2)
    neighbours = np.reshape(boxes(picture, REAL), (3, 2, 4))
    for image, (first, second) in zip(
        boxes(picture, SYNTHETIC), neighbours, strict=True
    ):
        assert image.left + SIDE < first[0] < first[0] + SIDE < second[0]
        for near in (first, second):
            assert near[1:].tolist() == [image.top, SIDE, SIDE]


def test_rows_are_one_under_the_other():
    first, *others = boxes(sheet(3), SYNTHETIC)
    assert [box.left for box in others] == [first.left] * 2
    assert first.top + SIDE < others[0].top < others[1].top


def test_cells_are_exact_magnifications():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (1, 32, 32, 3), np.uint8)
    picture = np.asarray(neighbour_sheet(images, plain(1, 1), np.ones((1, 1)), ["cat"]))
    ((left, top, *_),) = boxes(picture, REAL)
    cell = picture[top : top + SIDE, left - 16 - SIDE : left - 16]
    np.testing.assert_array_equal(cell, images[0].repeat(3, 0).repeat(3, 1))


def test_distances_are_written_under_the_neighbours_only():
    picture = sheet(1)
    pixels = np.asarray(picture)

    def written_under(box):
        under = pixels[box.top + SIDE :, box.left : box.left + SIDE]
        return bool((under < 200).any())

    assert [written_under(box) for box in boxes(picture, REAL)] == [True, True]
    assert [written_under(box) for box in boxes(picture, SYNTHETIC)] == [False]


def test_the_title_is_on_the_left():
    picture = sheet(1)
    (box,) = boxes(picture, SYNTHETIC)
    assert (np.asarray(picture)[:, : box.left] < 100).all(-1).any()


def test_long_titles_are_wrapped():
    short = sheet(1, title="black-footed")
    long = sheet(1, title="black-footed ferret, polecat, Mustela nigripes")
    assert long.width < 1.2 * short.width
    assert long.height == short.height


def test_large_images_are_shown_as_they_are():
    (box,) = boxes(sheet(1, size=224), SYNTHETIC)
    assert (box.width, box.height) == (224, 224)


@pytest.mark.parametrize("count", [1, 7, 40, 100])
def test_many_rows_are_set_side_by_side(count):
    picture = sheet(count)
    assert picture.height <= 1.8 * picture.width
    shown = boxes(picture, SYNTHETIC) + boxes(picture, REAL)
    assert len(shown) == 3 * count
    assert {(box.width, box.height) for box in shown} == {(SIDE, SIDE)}


def test_a_column_of_rows_is_filled_before_the_next():
    corners = [box[:2] for box in boxes(sheet(40), SYNTHETIC)]
    assert corners == sorted(corners)
    assert len({left for left, _ in corners}) > 1


def test_rows_that_do_not_fit_in_4000_pixels_are_left_out_and_counted():
    picture = sheet(120, k=1, size=224)
    assert max(picture.size) <= 4000
    shown = boxes(picture, SYNTHETIC)
    assert 90 < len(shown) < 120
    bottom = max(box.top for box in shown) + 224
    # Below the distances of the last row.
    assert (np.asarray(picture)[bottom + 30 :] < 200).any()


@pytest.mark.parametrize("wrong", ["none", "titles", "distances", "sizes", "counts"])
def test_what_does_not_fit_together_is_refused(wrong):
    arguments = {
        "images": plain(2),
        "neighbours": plain(2, 3),
        "distances": np.ones((2, 3)),
        "titles": ["cat", "dog"],
    }
    changes = {
        "none": {
            "images": plain(0),
            "neighbours": plain(0, 3),
            "distances": np.ones((0, 3)),
            "titles": [],
        },
        "titles": {"titles": ["cat"]},
        "distances": {"distances": np.ones((2, 2))},
        "sizes": {"neighbours": plain(2, 3, size=16)},
        "counts": {"images": plain(1), "titles": ["cat"]},
    }
    with pytest.raises(ValueError, match="do not fit together"):
        neighbour_sheet(**arguments | changes[wrong])
