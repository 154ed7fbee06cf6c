import json
import sys

import numpy as np
import pytest

from jinv.data.exporting import Description, Example, export, remove_split
from jinv.data.sets import batch_numbers_of, classes_of, load_labelled
from jinv.errors import DataError, FolderError

CLASSES = ("cat", "dog/wolf", "egg")
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
LABELS = [0, 1, 1, 0, 1]


def examples():
    for number, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        yield Example(10 + number, image, label, {"batch": number // 2})


@pytest.fixture(params=["folder", "npz", "array_record"])
def form(request):
    if request.param == "array_record":
        pytest.importorskip("tensorflow_datasets")
        pytest.importorskip("array_record")
    return request.param


def source(form, folder):
    return str(folder / "set.npz" if form == "npz" else folder)


def test_what_is_written_is_read_back_without_loss(form, tmp_path):
    export(form, tmp_path, Description("train", CLASSES, 5, 8), examples())
    data = load_labelled(source(form, tmp_path), "train", CLASSES, 8)
    images, labels = data.read(np.arange(5))
    order = np.argsort(LABELS, kind="stable") if form == "folder" else np.arange(5)
    np.testing.assert_array_equal(images, IMAGES[order])
    np.testing.assert_array_equal(labels, np.asarray(LABELS)[order])


def test_grey_images_are_written_and_read_back(form, tmp_path):
    grey = (example._replace(image=example.image[..., :1]) for example in examples())
    export(form, tmp_path, Description("train", CLASSES, 5, 8, 1), grey)
    images, _ = load_labelled(source(form, tmp_path), "train", CLASSES, 8, 1).read([0])
    np.testing.assert_array_equal(images, IMAGES[:1, ..., :1])


def test_a_set_tells_its_classes(form, tmp_path):
    export(form, tmp_path, Description("train", CLASSES, 5, 8), examples())
    # A folder knows only those that it has images of.
    known = ("cat", "dog/wolf") if form == "folder" else CLASSES
    assert classes_of(source(form, tmp_path), "train") == known


def test_a_set_tells_the_batch_of_each_image(form, tmp_path):
    export(form, tmp_path, Description("train", CLASSES, 5, 8), examples())
    found = batch_numbers_of(source(form, tmp_path), "train", 5)
    # A folder is read class by class.
    expected = [0, 1, 0, 1, 2] if form == "folder" else [0, 0, 1, 1, 2]
    np.testing.assert_array_equal(found, expected)
    assert batch_numbers_of(source(form, tmp_path), "train", 4) is None


def test_images_may_be_taken_from_a_folder_but_not_added(tmp_path):
    export("folder", tmp_path, Description("train", CLASSES, 5, 8), examples())
    first = tmp_path / "train" / "cat" / "000010.png"
    other = first.with_name("other.png")
    first.rename(other)
    assert batch_numbers_of(str(tmp_path), "train", 5) is None
    other.unlink()
    assert batch_numbers_of(str(tmp_path), "train", 4).tolist() == [1, 0, 1, 2]


def test_metadata_tells_where_each_image_is(form, tmp_path):
    export(form, tmp_path, Description("train", CLASSES, 5, 8), examples())
    folder = tmp_path / "train" if form == "folder" else tmp_path
    rows = [json.loads(r) for r in (folder / "metadata.jsonl").read_text().splitlines()]
    assert [row["label"] for row in rows] == LABELS
    assert [row["batch"] for row in rows] == [0, 0, 1, 1, 2]
    assert rows[1]["class"] == "dog/wolf"
    if form == "folder":
        assert all((folder / row["file_name"]).is_file() for row in rows)
        assert rows[1]["file_name"] == "dog%2Fwolf/000011.png"
    else:
        assert [row["index"] for row in rows] == [0, 1, 2, 3, 4]


def test_writing_twice_gives_the_same_bytes(form, tmp_path):
    contents = []
    for _ in range(2):
        export(form, tmp_path, Description("train", CLASSES, 5, 8), examples())
        files = sorted(p for p in tmp_path.rglob("*") if p.is_file())
        contents.append({str(p): p.read_bytes() for p in files})
    assert contents[0] == contents[1]


def test_a_failure_leaves_the_set_before_untouched(form, tmp_path):
    export(form, tmp_path, Description("train", CLASSES, 5, 8), examples())
    before = sorted(str(p) for p in tmp_path.rglob("*"))

    def broken():
        yield from list(examples())[:2]
        raise OSError("no space left")

    with pytest.raises(OSError):
        export(form, tmp_path, Description("train", CLASSES, 5, 8), broken())
    assert sorted(str(p) for p in tmp_path.rglob("*")) == before


def test_what_is_removed_of_a_split_is_what_was_written(tmp_path):
    export("folder", tmp_path, Description("train", CLASSES, 5, 8), examples())
    precious = [tmp_path / name for name in ("train/cat/mine.png", "train/thesis.tex")]
    for path in precious:
        path.write_text("precious")
    remove_split(tmp_path, "train")
    left = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*precious, tmp_path / "train" / "metadata.jsonl"}
    for path in precious:
        path.unlink()
    remove_split(tmp_path, "train")
    assert not list(tmp_path.iterdir())


def test_a_split_that_a_file_names_is_no_path(tmp_path):
    """A folder's `config.json` may come from a stranger."""
    export("folder", tmp_path / "x", Description("train", CLASSES, 5, 8), examples())
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "link").symlink_to(tmp_path / "x" / "train")
    before = sorted(tmp_path.rglob("*"))
    absolute = str(tmp_path / "x" / "train")
    for split in ("../x/train", absolute, "link", "", ".", "..", None, ["train"]):
        remove_split(tmp_path / "set", split)
    assert sorted(tmp_path.rglob("*")) == before


def test_files_of_others_in_the_way_of_a_split_are_named(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "thesis.tex").write_text("precious")
    with pytest.raises(FolderError, match="train holds files that are not of this set"):
        export("folder", tmp_path, Description("train", CLASSES, 5, 8), examples())
    assert [path.name for path in tmp_path.rglob("*")] == ["train", "thesis.tex"]


def test_array_record_without_its_packages_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "array_record.python.array_record_module", None)
    with pytest.raises(DataError, match=r"pip install 'jinv\[tfds\]'"):
        export("array_record", tmp_path, Description("a", CLASSES, 5, 8), examples())
