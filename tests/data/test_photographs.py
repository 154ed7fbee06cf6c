from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jinv.data.photographs import Photographs, names_of, unlabelled_images
from jinv.errors import DataError


@pytest.fixture
def folder(tmp_path):
    """Photographs of two sizes, one of them grey, among other things."""
    rng = np.random.default_rng(0)
    for name, shape in {"a.png": (4, 6, 3), "b.png": (5, 3)}.items():
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("none")
    return tmp_path


def test_photographs_are_of_any_sizes(folder):
    found = Photographs([folder])
    assert [image.shape for image in found] == [(4, 6, 3), (5, 3, 3)]
    assert [x.shape for x in Photographs([folder], 1)[:]] == [(4, 6, 1), (5, 3, 1)]
    assert len(unlabelled_images(str(folder))) == 2
    assert unlabelled_images(str(folder / "b.png"))[0].shape == (5, 3, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_labelled_set_serves_without_its_labels(tmp_path, channels):
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 5, channels), np.uint8)
    np.savez(tmp_path / "set.npz", x_train=images, y_train=[7, 900, 7])
    found = unlabelled_images(str(tmp_path / "set.npz"))
    assert len(found) == 3
    np.testing.assert_array_equal(found[1], images[1])


def test_a_folder_of_classes_may_hold_images_of_several_sizes(folder):
    for name, target in {"a.png": "train/cat", "b.png": "train/dog"}.items():
        (folder / target).mkdir(parents=True)
        (folder / name).rename(folder / target / name)
    found = unlabelled_images(str(folder))
    assert {image.shape for image in found} == {(4, 6, 3), (5, 3, 3)}


def test_pictures_beside_a_labelled_set_are_not_its_images(folder):
    images = np.zeros((3, 4, 5, 3), np.uint8)
    np.savez(folder / "set.npz", x_train=images, y_train=[0, 1, 0])
    assert len(unlabelled_images(str(folder))) == 3
    assert len(unlabelled_images(str(folder), "test")) == 2  # of which it has none


def test_photographs_are_fitted_one_by_one(folder):
    found = Photographs([folder], None, lambda image: image.resize((2, 3)))
    assert [image.shape for image in found] == [(3, 2, 3), (3, 2, 1)]


def test_no_two_are_called_alike(tmp_path):
    paths = [
        *(Path(f"{part}/{kind}/1.png") for part in ("train", "test") for kind in "ab"),
        *[tmp_path / "2.png"] * 2,
    ]
    names = names_of(paths)
    assert names[:4] == [
        "train a 1.png",
        "train b 1.png",
        "test a 1.png",
        "test b 1.png",
    ]
    assert len(set(names)) == 6 and names[5].endswith("2.png (2)")


def test_hidden_files_are_no_photographs(folder):
    (folder / "._a.png").write_bytes(b"Finder's")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "folder.png").mkdir()
    assert len(Photographs([folder])) == 2


def test_where_there_are_none_it_says_so(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        Photographs([tmp_path / "nowhere"])
    with pytest.raises(DataError):
        unlabelled_images(str(tmp_path))
