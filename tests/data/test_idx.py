import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from jinv.data.idx import read_idx
from jinv.data.sets import classes_of, has_split, load_labelled
from jinv.errors import DataError

DIGITS = tuple("0123456789")
rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (6, 28, 28), np.uint8)
LABELS = np.array([7, 2, 1, 0, 9, 4], np.uint8)


def idx(values):
    shape = struct.pack(f">{values.ndim}I", *values.shape)
    return bytes((0, 0, 8, values.ndim)) + shape + values.tobytes()


def write(folder, images="{}-images-idx3-ubyte", labels="{}-labels-idx1-ubyte"):
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, part in (("train", slice(4)), ("t10k", slice(4, 6))):
        for name, values in ((images, IMAGES[part]), (labels, LABELS[part])):
            packed = gzip.compress if name.endswith(".gz") else bytes
            (folder / name.format(prefix)).write_bytes(packed(idx(values)))
    return folder


@pytest.mark.parametrize("below", [".", "MNIST/raw", "FashionMNIST/raw", "raw"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("dot", ["-", "."])
def test_a_set_is_read_as_it_was_distributed(tmp_path, below, suffix, dot):
    names = (f"{{}}-{what}{dot}idx{n}-ubyte{suffix}" for what, n in FILES)
    write(tmp_path / below, *names)
    assert classes_of(tmp_path, "train") == DIGITS
    for split, part in (("train", slice(4)), ("test", slice(4, 6))):
        assert has_split(tmp_path, split)
        data = load_labelled(tmp_path, split, DIGITS, 28, 1)
        images, labels = data.read(np.arange(len(data)))
        np.testing.assert_array_equal(images[..., 0], IMAGES[part])
        np.testing.assert_array_equal(labels, LABELS[part])


FILES = (("images", 3), ("labels", 1))


def test_grey_images_are_repeated_for_a_model_of_colour(tmp_path):
    images, _ = load_labelled(write(tmp_path), "train", DIGITS, 28).read([2, 0])
    np.testing.assert_array_equal(images, IMAGES[[2, 0], ..., None].repeat(3, -1))


def test_digits_may_stand_for_other_classes(tmp_path):
    garments = tuple(f"garment {number}" for number in range(10))
    data = load_labelled(write(tmp_path), "train", garments, 28, 1)
    np.testing.assert_array_equal(data.labels, LABELS[:4])
    data = load_labelled(tmp_path, "train", DIGITS[::-1], 28, 1)
    np.testing.assert_array_equal(data.labels, 9 - LABELS[:4])


def test_a_file_that_a_browser_unpacked_is_read(tmp_path):
    write(tmp_path)
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_name(f"{path.name}.gz"))
    assert len(load_labelled(tmp_path, "train", DIGITS, 28, 1)) == 4


GOOD = idx(LABELS[4:])
BAD = [
    ("t10k-labels-idx1-ubyte", b"", "it begins with , not 00 00 08 01"),
    ("t10k-labels-idx1-ubyte", b"<html>", "it begins with 3c 68 74 6d, not 00 00 08"),
    ("t10k-labels-idx1-ubyte", idx(IMAGES), "it begins with 00 00 08 03, not"),
    ("t10k-labels-idx1-ubyte", GOOD[:6], "it ends within its head"),
    ("t10k-labels-idx1-ubyte", GOOD[:-1], "claims 2 bytes of data, and holds 1"),
    ("t10k-labels-idx1-ubyte", GOOD + b"x", "claims 2 bytes of data, and holds more"),
    ("t10k-labels-idx1-ubyte", idx(LABELS), "2 test images have 6 labels"),
    ("t10k-labels-idx1-ubyte", idx(LABELS[:2] + 9), "labels must lie in 0..9, found"),
    ("t10k-images-idx3-ubyte", idx(IMAGES)[:-9], "claims 4,704 bytes .*holds 4,695"),
    ("t10k-images-idx3-ubyte", gzip.compress(idx(IMAGES))[:99], "or torn: Compressed"),
    ("t10k-images-idx3-ubyte", b"\x1f\x8b" + bytes(50), "is no file of MNIST"),
    ("t10k-images-idx3-ubyte", b"\0\0\x0d\3" + bytes(50), "begins with 00 00 0d 03"),
    ("t10k-images-idx3-ubyte", b"\0\0\x08\3" + b"\xff" * 50, "and cannot hold them"),
    (
        "t10k-images-idx3-ubyte",
        gzip.compress(b"\0\0\x08\3" + struct.pack(">3I", 10**6, 28, 28)),
        "it claims 784,000,000 bytes of data, and cannot hold them",
    ),
    ("t10k-images-idx3-ubyte", idx(IMAGES[:0]), "0 test images have 2 labels"),
    ("t10k-images-idx3-ubyte", idx(IMAGES[:2, :20]), "of 28x28 pixels, found 20x28"),
    ("t10k-images-idx3-ubyte", None, "has no split 'test', but train"),
    ("t10k-labels-idx1-ubyte", None, "lacks t10k-labels-idx1-ubyte of MNIST"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD, ids=range(len(BAD)))
def test_foreign_and_torn_files_are_one_line(tmp_path, name, content, message):
    path = write(tmp_path) / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load_labelled(tmp_path, "test", DIGITS, 28, 1)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_images_of_another_size_are_refused(tmp_path):
    with pytest.raises(DataError, match="expected images of 32x32 .*found 28x28"):
        load_labelled(write(tmp_path), "train", DIGITS, 32)


def test_a_claim_of_gigabytes_takes_no_memory():
    head = b"\0\0\x08\3" + struct.pack(">3I", 10**6, 100, 100)
    bomb = gzip.compress(head + bytes(2**26))
    tracemalloc.start()
    with pytest.raises(ValueError, match="cannot hold them"):
        read_idx(bomb, 3)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()
