import numpy as np
import pytest

from jinv.report.layer_sheet import layer_sheet


def plain(red, count, size=32):
    """Images of one colour each: `red` tells the row, green the image."""
    colours = [(red, 100 + number, 7) for number in range(count)]
    rows = np.asarray(colours, np.uint8).reshape(count, 1, 1, 3)
    return np.broadcast_to(rows, (count, size, size, 3))


def box(picture, red, number):
    """Left, top, width and height of an image in a picture."""
    mask = (np.asarray(picture) == (red, 100 + number, 7)).all(-1)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return columns[0], rows[0], len(columns), len(rows)


def test_layers_are_rows_and_images_columns_under_their_targets():
    picture = layer_sheet(plain(0, 3), {"conv1": plain(1, 3), "conv2": plain(2, 3)})
    found = np.array([[box(picture, row, n) for n in range(3)] for row in range(3)])
    assert (found[..., 2:] == 96).all()
    left, top = found[..., 0], found[..., 1]
    assert (left == left[0]).all() and (np.diff(left, axis=1) > 0).all()
    assert (top == top[:, :1]).all() and (np.diff(top, axis=0) > 0).all()


def test_titles_stand_over_the_columns_and_notes_under_the_images():
    bare = layer_sheet(plain(0, 2), {"conv1": plain(1, 2)})
    told = layer_sheet(
        plain(0, 2), {"conv1": plain(1, 2)}, {"conv1": ["9 dB", "8 dB"]}, ["a", "b"]
    )
    left, top, width, height = box(told, 0, 1)
    pixels = np.asarray(told)
    assert top > box(bare, 0, 1)[1]
    assert (pixels[:top, left : left + width] < 200).any()
    left, top, width, height = box(told, 1, 0)
    assert (pixels[top + height :, left : left + width] < 200).any()


def test_images_that_do_not_fit_beside_each_other_go_on_under_their_own_targets():
    picture = layer_sheet(plain(0, 24), {"conv1": plain(1, 24)})
    first, last = box(picture, 0, 0), box(picture, 0, 23)
    assert box(picture, 1, 0)[1] < last[1] < box(picture, 1, 23)[1]
    assert box(picture, 0, 12)[0] == first[0]  # blocks are of even width


def test_layers_that_do_not_fit_are_left_out_and_counted():
    layers = {f"conv{n}": plain(n, 1, 224) for n in range(1, 31)}
    picture = layer_sheet(plain(0, 1, 224), layers)
    assert max(picture.size) <= 4000
    shown = {int(red) for red, green, _ in np.asarray(picture)[::50, 150] if green}
    assert 14 <= len(shown - {255}) < 31
    bottom = np.asarray(picture)[-40:]
    assert (bottom < 200).any()


@pytest.mark.parametrize("images", [30, 100])
def test_a_sheet_is_never_larger_than_4000_pixels(images):
    layers = {f"conv{n}": plain(n, images, 224) for n in range(1, 6)}
    assert max(layer_sheet(plain(0, images, 224), layers).size) <= 4000


@pytest.mark.parametrize(
    "changes",
    [
        {"targets": plain(0, 0), "reconstructions": {"conv1": plain(1, 0)}},
        {"reconstructions": {}},
        {"reconstructions": {"conv1": plain(1, 3)}},
        {"reconstructions": {"conv1": plain(1, 2, 16)}},
        {"notes": {"conv9": ["a", "b"]}},
        {"notes": {"conv1": ["a"]}},
        {"titles": ["a"]},
    ],
)
def test_what_does_not_fit_together_is_refused(changes):
    arguments = {"targets": plain(0, 2), "reconstructions": {"conv1": plain(1, 2)}}
    with pytest.raises(ValueError, match="do not fit together"):
        layer_sheet(**arguments | changes)
