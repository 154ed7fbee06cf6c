import numpy as np
import pytest

from jinv.data.exporting import Description, Example, export
from jinv.data.sets import load_labelled, soft_labels_of
from jinv.data.soft_labels import (
    SoftLabels,
    half,
    read_soft_labels,
    soft_labels_path,
    write_soft_labels,
)
from jinv.errors import DataError

CLASSES = ("cat", "dog/wolf", "egg")
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
LABELS = [0, 1, 1, 0, 1]
LOGITS = half(np.random.default_rng(1).normal(0, 5, (5, 3)))
FOUND = SoftLabels(LOGITS, CLASSES, "tiny", "abc")


def write_set(form, folder, found=FOUND):
    """A set of five images, and soft labels beside it."""
    examples = (
        Example(10 + number, image, label, {"batch": 0})
        for number, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True))
    )
    export(form, folder, Description("train", CLASSES, 5, 8), examples)
    write_soft_labels(soft_labels_path(folder, "train"), found)


@pytest.fixture(params=["folder", "npz", "array_record"])
def form(request):
    if request.param == "array_record":
        pytest.importorskip("tensorflow_datasets")
        pytest.importorskip("array_record")
    return request.param


def test_they_are_in_the_order_in_which_images_are_read(form, tmp_path):
    write_set(form, tmp_path)
    data = load_labelled(tmp_path, "train", CLASSES, 8)
    found = soft_labels_of(tmp_path, "train", CLASSES, len(data))
    for image, logits in zip(data.read(np.arange(5))[0], found.logits, strict=True):
        same = [np.array_equal(image, other) for other in IMAGES]
        np.testing.assert_array_equal(logits, LOGITS[same.index(True)])
    assert found[1:] == (CLASSES, "tiny", "abc")
    if form == "npz":
        found = soft_labels_of(tmp_path / "set.npz", "train", CLASSES, 5)
        np.testing.assert_array_equal(found.logits, LOGITS)


def test_they_follow_the_classes_of_a_model(tmp_path):
    write_set("npz", tmp_path)
    found = soft_labels_of(tmp_path, "train", ("egg", "cat", "dog/wolf"), 5)
    np.testing.assert_array_equal(found.logits, LOGITS[:, [2, 0, 1]])
    assert found.classes == ("egg", "cat", "dog/wolf")


def test_images_may_be_taken_from_a_folder_but_not_added(tmp_path):
    write_set("folder", tmp_path)
    first = tmp_path / "train" / "cat" / "000010.png"
    other = first.with_name("other.png")
    first.rename(other)
    with pytest.raises(DataError, match="logits of 5 images, which are not the 5 of"):
        soft_labels_of(tmp_path, "train", CLASSES, 5)
    other.unlink()
    found = soft_labels_of(tmp_path, "train", CLASSES, 4)
    np.testing.assert_array_equal(found.logits, LOGITS[[3, 1, 2, 4]])


@pytest.mark.parametrize("rows", [4, 6])
def test_rows_of_another_number_of_images_are_refused(form, tmp_path, rows):
    write_set(form, tmp_path, FOUND._replace(logits=np.resize(LOGITS, (rows, 3))))
    with pytest.raises(DataError, match=f"{rows} images, which are not the 5 of the"):
        soft_labels_of(tmp_path, "train", CLASSES, 5)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("cat", "dog/wolf", "owl"), "'egg' is named after no class of the model"),
        ((*CLASSES, "owl"), "holds logits of 3 classes, the model has 4: choose"),
    ],
)
def test_those_of_other_classes_are_refused(tmp_path, classes, message):
    write_set("npz", tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        soft_labels_of(tmp_path, "train", classes, 5)
    assert "\n" not in str(caught.value)


def test_a_set_without_any_says_where_they_were_expected(tmp_path):
    np.savez(tmp_path / "real.npz", x_train=IMAGES, y_train=LABELS)
    for source in (tmp_path / "real.npz", tmp_path, "tfds:cifar10"):
        with pytest.raises(DataError, match="soft labels: expected soft_labels-train"):
            soft_labels_of(source, "train", CLASSES, 5)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-40]), "cannot be read as soft la"),
        (lambda p: p.write_text("precious"), "cannot be read as soft labels"),
        (lambda p: np.savez(p, logits=LOGITS), "no soft labels: it has no classes"),
        (lambda p: write_soft_labels(p, FOUND._replace(logits=LOGITS[0])), "a name of"),
        (lambda p: write_soft_labels(p, FOUND._replace(classes="ab")), "a name of"),
        (
            lambda p: write_soft_labels(p, FOUND._replace(logits=LOGITS * np.nan)),
            "expected finite logits",
        ),
        (
            lambda p: np.savez(p, **{**FOUND._asdict(), "teacher": np.array([{}])}),
            "cannot be read as soft labels: teacher.npy holds object",
        ),
    ],
)
def test_what_is_no_file_of_them_is_one_line(tmp_path, damage, message):
    path = tmp_path / "soft_labels-train.npz"
    write_soft_labels(path, FOUND)
    damage(path)
    with pytest.raises(DataError, match=message) as caught:
        read_soft_labels(path)
    assert "\n" not in str(caught.value)


def test_half_as_many_bits_keep_a_softmax():
    logits = np.random.default_rng(0).normal(0, 10, (100, 10)).astype(np.float32)

    def softmax(x):
        x = np.exp(x - x.max(-1, keepdims=True))
        return x / x.sum(-1, keepdims=True)

    found = half(logits).astype(np.float32)
    np.testing.assert_allclose(softmax(found), softmax(logits), atol=0.005)
    huge = half(np.array([[1e6, -1e6, 1.0]]))
    assert np.isfinite(huge).all() and huge.argmax() == 0
