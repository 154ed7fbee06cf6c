import io
import zipfile

import numpy as np
import pytest
from numpy.lib import format as npy

from jinv.data.labels import to_labels
from jinv.data.sets import classes_of, has_split, load_labelled
from jinv.errors import DataError

CLASSES = ("cat", "dog")
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
LABELS = np.array([0, 1, 1, 0, 1])


def load(folder, known=CLASSES, split="train", **arrays):
    np.savez(folder / "x.npz", **arrays)
    return load_labelled(folder / "x.npz", split, known, 8)


@pytest.mark.parametrize(
    "labels",
    [
        LABELS[:, None],
        LABELS.astype(np.float32),
        LABELS.astype(np.float64)[:, None],
        LABELS.astype(np.uint64),
        LABELS.astype(">i8"),
        LABELS.astype(bool),
        np.array(CLASSES)[LABELS],
        np.array(CLASSES)[LABELS][:, None],
        np.array(CLASSES, "S")[LABELS],
    ],
    ids=range(9),
)
def test_labels_as_people_save_them(tmp_path, labels):
    data = load(tmp_path, x_train=IMAGES, y_train=labels)
    assert data.labels.dtype == np.int32
    np.testing.assert_array_equal(data.labels, LABELS)


def test_numbers_mean_the_names_that_the_set_gives_them(tmp_path):
    names = ("airplane", "cat", "dog")
    arrays = {"x_train": IMAGES, "y_train": LABELS, "classes": np.array(CLASSES)}
    data = load(tmp_path, names, **arrays)
    np.testing.assert_array_equal(data.labels, LABELS + 1)
    assert classes_of(tmp_path / "x.npz", "train") == CLASSES
    assert load(tmp_path, CLASSES[::-1], **arrays).labels.tolist() == [1, 0, 0, 1, 0]


def test_names_that_no_label_has_may_be_unknown(tmp_path):
    classes = np.array([*CLASSES, "yak"])
    data = load(tmp_path, x_train=IMAGES, y_train=LABELS, classes=classes)
    np.testing.assert_array_equal(data.labels, LABELS)


def test_names_are_the_same_in_either_form_of_unicode(tmp_path):
    classes = np.array(["Ka\u0308fer", "dog"])
    known = ("dog", "K\u00e4fer")
    data = load(tmp_path, known, x_train=IMAGES, y_train=LABELS, classes=classes)
    np.testing.assert_array_equal(data.labels, 1 - LABELS)


def test_medmnist_names_its_arrays_otherwise(tmp_path):
    arrays = {
        f"{split}_{what}": array
        for split in ("train", "val")
        for what, array in (("images", IMAGES), ("labels", LABELS[:, None]))
    }
    np.testing.assert_array_equal(load(tmp_path, **arrays).labels, LABELS)
    assert len(load(tmp_path, split="val", **arrays)) == 5
    assert not has_split(tmp_path / "x.npz", "test")


@pytest.mark.parametrize("lacking", ["x_test", "y_test"])
def test_half_a_split_is_none(tmp_path, lacking):
    arrays = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS}
    del arrays[lacking]
    np.savez(tmp_path / "x.npz", **arrays)
    assert has_split(tmp_path / "x.npz", "train")
    assert not has_split(tmp_path / "x.npz", "test")
    with pytest.raises(DataError, match=f"has no {lacking}; it holds x_train"):
        load_labelled(tmp_path / "x.npz", "test", CLASSES, 8)


X, Y = "x_train", "y_train"
BAD_ARRAYS = [
    ({Y: np.eye(2)[LABELS]}, r"one label an image.*\(5, 2\): of one-hot .*argmax"),
    ({Y: LABELS + 0.5}, "labels must be whole numbers in 0..1, found 0.5"),
    ({Y: np.array([0, np.nan, 1, 0, 1])}, "must be whole numbers in 0..1, found nan"),
    ({Y: np.array([0, np.inf, 1, 0, 1])}, "labels must lie in 0..1, found .*inf"),
    ({Y: LABELS + 2**32}, "labels must lie in 0..1, found 4294967296..4294967297"),
    ({Y: LABELS + np.uint64(2**63)}, "labels must lie in 0..1"),
    ({Y: LABELS * 1e30}, "labels must lie in 0..1"),
    ({Y: LABELS - 1}, "labels must lie in 0..1, found -1..0: choose a model"),
    ({Y: LABELS.astype(complex)}, "y_train.npy holds complex128, not plain numbers"),
    ({Y: LABELS[:4]}, "x_train holds 5 images, y_train 4 labels"),
    ({Y: np.array(0)}, r"one label an image, shape \(n,\), found \(\)"),
    ({Y: np.array(["cat", "doe", "x", "x", "x"])}, "'doe', 'x' are named after no"),
    ({Y: np.array(["cot"] * 5)}, r"'cot' is named .*\(did you mean cat\?\)"),
    ({Y: np.array(["cat", None, 1, 2, 3], object)}, "y_train.npy holds object"),
    ({"classes": np.array(["cat", "ox"])}, "'ox' is named after no class of the model"),
    ({"classes": np.array(["cat"])}, "labels must lie in 0..0, found 0..1"),
    (
        {"classes": np.array([1, 2])},
        r"classes holds int64 of shape \(2,\): expected na",
    ),
    ({X: IMAGES.transpose(0, 3, 1, 2)}, "channels first: .*moveaxis"),
    ({X: IMAGES / 255}, r"float64: expected uint8 in 0..255; save \(255 \* x\)"),
    ({X: IMAGES.astype(int)}, r"int64: expected uint8 .*save x.astype\(np.uint8\)"),
    ({X: IMAGES[..., :2]}, r"has the shape \(5, 8, 8, 2\): expected"),
    ({X: IMAGES.reshape(5, -1)}, r"has the shape \(5, 192\): expected"),
    ({X: IMAGES[:, :7]}, "expected images of 8x8 pixels, found 7x8: choose"),
    ({X: IMAGES[..., 0]}, "expected colour images .* found grey ones"),
    ({X: IMAGES[:0], Y: LABELS[:0]}, "holds no images: its shape is"),
    ({X: np.array([IMAGES[0], None], object)}, "x_train.npy holds object"),
    ({X: np.array("text")}, "x_train holds <U4: expected uint8"),
]


@pytest.mark.parametrize(("change", "message"), BAD_ARRAYS, ids=range(len(BAD_ARRAYS)))
def test_arrays_that_are_no_set_are_one_line(tmp_path, change, message):
    arrays = {X: IMAGES, Y: LABELS} | change
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path, **arrays)
    assert "\n" not in str(caught.value) and "x.npz" in str(caught.value)


def zipped(entries, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def header(shape):
    buffer = io.BytesIO()
    claim = {"descr": "|u1", "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(buffer, claim)
    return buffer.getvalue()


def whole():
    buffer = io.BytesIO()
    np.savez(buffer, x_train=IMAGES, y_train=LABELS)
    return buffer.getvalue()


GIGABYTES = {"x_train.npy": header((10**7, 32, 32, 3)), "y_train.npy": header((10**7,))}
BAD_FILES = [
    (b"", "cannot be read as a set of arrays"),
    (b"PK\3\4nonsense", "cannot be read as a set of arrays"),
    (whole()[:-200], "cannot be read as a set of arrays"),
    (whole()[:300] + b"!!!!" + whole()[304:], "Bad CRC-32"),
    (zipped(GIGABYTES), "x_train.npy has not the bytes that its shape needs"),
    (
        zipped({"x_train.npy": bytes(10**8), "y_train.npy": b""}, zipfile.ZIP_DEFLATED),
        "it claims to expand to 100,000,000 bytes",
    ),
    (zipped({"x_train.npy": b"hello", "y_train.npy": b""}), "cannot be read as a set"),
    (zipped({"readme.txt": b"hello"}), "no x_train and no y_train; it holds readme"),
    (zipped({}), "no x_train and no y_train; it holds nothing"),
]


@pytest.mark.parametrize(("content", "message"), BAD_FILES, ids=range(len(BAD_FILES)))
def test_files_that_are_no_set_are_one_line(tmp_path, content, message):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load_labelled(tmp_path / "x.npz", "train", CLASSES, 8)
    assert "\n" not in str(caught.value) and "x.npz" in str(caught.value)


def test_many_unknown_names_are_cut_short():
    names = np.array([f"class {number:03}" for number in range(500)])
    with pytest.raises(DataError) as caught:
        to_labels(names, "here", CLASSES)
    assert "and 490 more are named after no class" in str(caught.value)
    assert len(str(caught.value)) < 500
