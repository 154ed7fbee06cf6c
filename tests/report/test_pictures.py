import numpy as np
import pytest
from PIL import Image

from jinv.report.pictures import (
    magnification,
    magnified,
    save_images,
    slug,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cat", "cat"),
        ("Black-footed ferret", "black-footed-ferret"),
        ("../../etc/passwd", "etc-passwd"),
        ("<b>", "b"),
        ("猫", "class"),
        ("x" * 300, "x" * 60),
    ],
)
def test_slugs_are_safe_in_file_names(name, expected):
    assert slug(name) == expected


@pytest.mark.parametrize(("size", "factor"), [(8, 12), (32, 3), (64, 2), (224, 1)])
def test_small_images_are_magnified_by_a_whole_factor(size, factor):
    assert magnification(size, size) == factor


def test_files_are_named_after_number_and_class(tmp_path):
    paths = save_images(tmp_path, np.zeros((2, 4, 4, 3)), ["cat", "Sea lion"], first=7)
    assert [path.name for path in paths] == ["00007_cat.png", "00008_sea-lion.png"]


def test_saved_images_are_lossless(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    paths = save_images(tmp_path / "images", images / 255, ["a", "b", "c"])
    loaded = np.stack([np.asarray(Image.open(path)) for path in paths])
    np.testing.assert_array_equal(loaded, images)


def test_saving_leaves_no_temporary_files(tmp_path):
    save_images(tmp_path, np.zeros((1, 4, 4, 3)), ["a"])
    assert [path.name for path in tmp_path.iterdir()] == ["00000_a.png"]


def test_saving_needs_a_name_for_each_image(tmp_path):
    with pytest.raises(ValueError, match="zip"):
        save_images(tmp_path, np.zeros((2, 4, 4, 3)), ["a"])


def test_magnifying_repeats_pixels():
    images = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    np.testing.assert_array_equal(
        magnified(images, 8), images.repeat(2, 1).repeat(2, 2)
    )
    assert magnified(images, 5).shape == (2, 5, 5, 3)
    np.testing.assert_array_equal(magnified(images, 4), images)
