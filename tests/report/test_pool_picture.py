import numpy as np
from PIL import Image

from jinv.report import pool_picture as module
from jinv.report.pool_picture import pool_picture


def pool(batches, size, side=16):
    """Images of one colour each: red tells the batch, green the place in it."""
    numbers = np.repeat(np.arange(batches), size)
    images = np.full((len(numbers), side, side, 3), 200, np.uint8)
    images[..., 0] = numbers[:, None, None]
    images[..., 1] = (np.arange(len(numbers)) % size)[:, None, None]
    return images, numbers


def shown(picture, batches, size):
    """Batches, and places in them, of the images that can be seen."""
    pixels = np.asarray(picture).reshape(-1, 3)
    colours, counts = np.unique(pixels[pixels[:, 2] == 200], axis=0, return_counts=True)
    found = colours[counts >= 16 * 16]
    found = found[(found[:, 0] < batches) & (found[:, 1] < size)]
    return sorted(set(found[:, 0].tolist())), sorted(set(found[:, 1].tolist()))


def titles(monkeypatch, *args):
    seen = []

    def grid(images, labels, classes):
        seen.append((images, labels, classes))
        return Image.new("RGB", (1, 1))

    monkeypatch.setattr(module, "grid", grid)
    pool_picture(*args)
    return seen[0]


def test_eight_rounds_are_shown_from_the_first_to_the_last():
    rounds, places = shown(pool_picture(*pool(57, 30)), 57, 30)
    assert len(rounds) == 8
    assert (rounds[0], rounds[-1]) == (0, 56)
    assert set(np.diff(rounds)) == {8}
    assert len(places) == 12
    assert (places[0], places[-1]) == (0, 29)


def test_a_small_pool_is_shown_whole():
    rounds, places = shown(pool_picture(*pool(3, 5)), 3, 5)
    assert (rounds, places) == ([0, 1, 2], [0, 1, 2, 3, 4])


def test_a_row_has_its_rounds_number(monkeypatch):
    images, labels, names = titles(monkeypatch, *pool(3, 2))
    assert names == ["round 1", "round 2", "round 3"]
    assert labels == [0, 0, 1, 1, 2, 2]
    assert images[:, 0, 0, 0].tolist() == labels


def test_batches_of_the_warm_up_are_told_from_rounds(monkeypatch):
    assert titles(monkeypatch, *pool(4, 2), 2)[2] == [
        "warm-up 1",
        "warm-up 2",
        "round 1",
        "round 2",
    ]


def test_grey_images_and_a_batch_cut_short_are_shown():
    images = np.zeros((5, 28, 28, 1), np.uint8)
    assert pool_picture(images, [0, 0, 0, 1, 1]).width > 3 * 84
