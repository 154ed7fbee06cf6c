import numpy as np
import pytest
from PIL import Image

from jinv.data.sets import batch_numbers_of, classes_of, has_split, load_labelled
from jinv.errors import DataError

CLASSES = ("cat", "dog")
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with a set of every form that needs nothing else."""
    for label, name in enumerate(CLASSES):
        (tmp_path / "folder" / "train" / name).mkdir(parents=True)
        image = Image.fromarray(IMAGES[label])
        image.save(tmp_path / "folder" / "train" / name / "1.png")
    np.savez(tmp_path / "x.npz", x_train=IMAGES, y_train=[0, 1])
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["folder", "x.npz"])
def test_a_source_is_a_text_or_a_path_and_may_begin_at_home(home, name):
    for source in (str(home / name), home / name, f"~/{name}"):
        images, labels = load_labelled(source, "train", CLASSES, 8).read([0, 1])
        np.testing.assert_array_equal(images, IMAGES)
        assert labels.tolist() == [0, 1]
        assert has_split(source, "train") and not has_split(source, "test")
        assert classes_of(source, "train") in (CLASSES, None)
        assert batch_numbers_of(source, "train", 2) is None


@pytest.mark.parametrize("name", ["X.NPZ", "set.npz"])
def test_a_suffix_may_be_of_any_letter_case(home, name):
    (home / "x.npz").rename(home / name)
    assert len(load_labelled(home / name, "train", CLASSES, 8)) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nothing", None, "no labelled images at .*: expected an .npz file, a folder"),
        ("x.zip", b"PK", "this file is of no known form; of an archive give the unp"),
        ("train-images-idx3-ubyte", b"", "of a set of several files theirs"),
        ("x.tar", None, "no labelled images at"),
        ("", None, "no folder 'train'|no labelled images at"),
    ],
)
def test_what_is_no_set_is_one_line(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    for ask in (
        lambda source: load_labelled(source, "train", CLASSES, 8),
        lambda source: has_split(source, "train") or pytest.fail("it has none"),
        lambda source: classes_of(source, "train") or pytest.fail("it has none"),
    )[: 3 if name else 1]:
        with pytest.raises(DataError, match=message) as caught:
            ask(str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_a_folder_of_images_comes_before_a_set_that_lies_deeper(home):
    """What torchvision left below a folder is not a split of the folder."""
    raw = home / "folder" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "t10k-images-idx3-ubyte").write_bytes(b"")
    assert not has_split(home / "folder", "test")
