import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest

from jinv.data.sets import classes_of, has_split, load_labelled
from jinv.errors import DataError

NAMES = ("plane", "car", "bird")
rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (12, 32, 32, 3), np.uint8)
LABELS = rng.integers(0, 3, 12)


def text(content):
    """A text as Python 2 pickled it: bytes of no known encoding."""
    return b"T" + struct.pack("<i", len(content)) + content


def number(value):
    return b"J" + struct.pack("<i", value)


def listed(items):
    return b"](" + b"".join(items) + b"e"


def array(values):
    shape = b"(" + b"".join(number(side) for side in values.shape) + b"t"
    kind = b"cnumpy\ndtype\n" + text(b"u1") + number(0) + number(1) + b"\x87R("
    kind += number(3) + text(b"|") + b"NNN" + 2 * number(-1) + number(0) + b"tb"
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
    made += number(0) + b"\x85" + text(b"b") + b"\x87R("
    return made + number(1) + shape + kind + b"\x89" + text(values.tobytes()) + b"tb"


def pickled(**items):
    pairs = b"".join(text(key.encode()) + value for key, value in items.items())
    return b"\x80\x02}(" + pairs + b"u."


def planes(part):
    return IMAGES[part].transpose(0, 3, 1, 2).reshape(-1, 3072)


def batch(part, labels="labels"):
    numbers = listed([number(int(label)) for label in LABELS[part]])
    names = listed([text(b"leptodactylus_s_000004.png")] * len(LABELS[part]))
    data = array(planes(part))
    return pickled(data=data, **{labels: numbers}, filenames=names)


def parts(name):
    return {name.format(i + 1): slice(2 * i, 2 * i + 2) for i in range(5)}


def python10():
    names = listed([text(name.encode()) for name in NAMES])
    return {
        **{name: batch(part) for name, part in parts("data_batch_{}").items()},
        "test_batch": batch(slice(10, 12)),
        "batches.meta": pickled(num_cases_per_batch=number(2), label_names=names),
        "readme.html": b"<html>",
    }


def python100():
    names = listed([text(name.encode()) for name in NAMES])
    coarse = listed([text(b"things")])
    return {
        "train": batch(slice(10), "fine_labels"),
        "test": batch(slice(10, 12), "fine_labels"),
        "meta": pickled(fine_label_names=names, coarse_label_names=coarse),
        "file.txt~": b"",
    }


def records(part, head=0):
    labels = LABELS[part, None].astype(np.uint8)
    ahead = np.full((len(labels), head), 7, np.uint8)
    return np.concatenate([ahead, labels, planes(part)], 1).tobytes()


def binary10():
    return {
        **{name: records(part) for name, part in parts("data_batch_{}.bin").items()},
        "test_batch.bin": records(slice(10, 12)),
        "batches.meta.txt": "\n".join([*NAMES, "", ""]).encode(),
    }


def binary100():
    return {
        "train.bin": records(slice(10), 1),
        "test.bin": records(slice(10, 12), 1),
        "fine_label_names.txt": "\n".join([*NAMES, ""]).encode(),
        "coarse_label_names.txt": b"things\n",
    }


FORMS = {
    "cifar-10-batches-py": python10,
    "cifar-100-python": python100,
    "cifar-10-batches-bin": binary10,
    "cifar-100-binary": binary100,
}


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def pack(path, files, folder="cifar"):
    with tarfile.open(path, "w:gz") as archive:
        # In another order, with what a Mac adds.
        for name, content in [*reversed(files.items()), ("._test_batch", b"x")]:
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


@pytest.fixture(params=["itself", "above", "packed"])
def source(request, form, tmp_path):
    if request.param == "packed":
        return pack(tmp_path / f"{form}.tar.gz", FORMS[form](), form)
    folder = write(tmp_path / form, FORMS[form]())
    return tmp_path if request.param == "above" else folder


def test_a_set_is_read_as_it_was_distributed(source):
    assert classes_of(source, "train") == NAMES
    for split, part in (("train", slice(10)), ("test", slice(10, 12))):
        assert has_split(source, split)
        data = load_labelled(source, split, NAMES, 32)
        images, labels = data.read(np.arange(len(data)))
        np.testing.assert_array_equal(images, IMAGES[part])
        np.testing.assert_array_equal(labels, LABELS[part])
    assert not has_split(source, "val")


def test_batches_that_python_3_has_saved_again_are_read(tmp_path):
    def saved(content):
        return pickle.dumps(content, protocol=2)

    def batch(part):
        flat = np.ascontiguousarray(IMAGES[part].transpose(0, 3, 1, 2))
        data = flat.reshape(len(flat), -1)
        return saved({b"labels": LABELS[part].tolist(), b"data": data})

    files = {f"data_batch_{n + 1}": batch(slice(2 * n, 2 * n + 2)) for n in range(5)}
    meta = saved({b"label_names": [name.encode() for name in NAMES]})
    folder = write(
        tmp_path, {**files, "test_batch": batch(slice(10, 12)), "batches.meta": meta}
    )
    assert classes_of(folder, "train") == NAMES
    images, labels = load_labelled(folder, "train", NAMES, 32).read(np.arange(10))
    np.testing.assert_array_equal(images, IMAGES[:10])
    np.testing.assert_array_equal(labels, LABELS[:10])


def test_classes_are_found_by_name(tmp_path, form):
    folder = write(tmp_path / form, FORMS[form]())
    data = load_labelled(folder, "train", ("bird", "x", "car", "plane"), 32)
    np.testing.assert_array_equal(data.labels, np.array([3, 2, 0])[LABELS[:10]])


def test_colours_become_grey_as_those_of_folders_do(tmp_path, form):
    folder = write(tmp_path / form, FORMS[form]())
    images, _ = load_labelled(folder, "train", NAMES, 32, 1).read([3])
    luma = IMAGES[3] @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(images[0, ..., 0], luma, atol=0.51)


def changed(**files):
    return {**python10(), **files}


def without(files, *names):
    return {name: content for name, content in files.items() if name not in names}


TEST = "test_batch"
PICKLE = pickle.dumps({"labels": [os.system]}, 2)
BAD = [
    (changed(test_batch=b""), "test_batch is no file of CIFAR-10 .*, or torn"),
    (changed(test_batch=python10()[TEST][:5000]), "test_batch is no file .*or torn"),
    (changed(test_batch=b"\x80\x02N."), "test_batch is no file of CIFAR-10"),
    (changed(test_batch=PICKLE), "test_batch is no file .*it has no 'data'"),
    (changed(test_batch=pickled(labels=listed([]))), "test_batch is .*'data'"),
    (
        changed(test_batch=pickled(labels=number(3), data=array(planes(slice(2))))),
        "test_batch is no file of CIFAR-10",
    ),
    (
        changed(
            test_batch=pickled(
                labels=listed([number(0)]), data=array(planes(slice(0, 2)))
            )
        ),
        "1 labels need data of 1 x 3072 bytes, found uint8 of shape",
    ),
    (
        changed(
            test_batch=pickled(labels=listed([text(b"a")]), data=array(planes([0])))
        ),
        "labels are not all numbers",
    ),
    (
        changed(
            test_batch=pickled(labels=listed([number(9)]), data=array(planes([0])))
        ),
        "labels must lie in 0..2, found 9..9",
    ),
    (
        changed(test_batch=pickled(labels=listed([]), data=array(planes([])))),
        "holds no test images",
    ),
    (without(python10(), "batches.meta"), "lacks batches.meta of CIFAR-10 .*anew"),
    (without(python10(), TEST), "has no split 'test', but train"),
    (
        changed(**{"batches.meta": pickled(label_names=listed([]))}),
        "batches.meta .* it names no classes",
    ),
    (
        changed(**{"batches.meta": pickled(label_names=listed([text(b"moon")] * 3))}),
        "'moon'.* named after no class of the model",
    ),
    ({**binary10(), "test_batch.bin": bytes(3074)}, "3,074 bytes are no records of 3"),
    ({**binary10(), "test_batch.bin": b""}, "0 bytes are no records of 3,073"),
    ({**binary10(), "batches.meta.txt": b"\xff\xfe"}, "batches.meta.txt is no file of"),
    ({**binary100(), "test.bin": bytes(3073)}, "are no records of 3,074"),
    ({**python10(), **binary10()}, "holds several sets: give the folder of one"),
]


@pytest.mark.parametrize(("files", "message"), BAD, ids=range(len(BAD)))
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
def test_foreign_and_torn_files_are_one_line(tmp_path, files, message, packed):
    place = tmp_path / ("set.tar.gz" if packed else "set")
    source = pack(place, files) if packed else write(place, files)
    with pytest.raises(DataError, match=message) as caught:
        load_labelled(source, "test", NAMES, 32)
    assert "\n" not in str(caught.value) and str(place) in str(caught.value)


def test_a_lacking_batch_is_missed(tmp_path):
    write(tmp_path, without(python10(), "data_batch_3", "data_batch_5"))
    assert has_split(tmp_path, "train")
    with pytest.raises(DataError, match="lacks data_batch_3, data_batch_5 of CIFAR-10"):
        load_labelled(tmp_path, "train", NAMES, 32)


def test_images_of_another_size_are_refused(tmp_path):
    write(tmp_path, python10())
    with pytest.raises(DataError, match="expected images of 224x224 .*found 32x32"):
        load_labelled(tmp_path, "train", NAMES, 224)


def test_torchvisions_folder_of_several_sets_is_not_guessed_at(tmp_path):
    write(tmp_path / "cifar-10-batches-py", python10())
    write(tmp_path / "cifar-100-python", python100())
    with pytest.raises(DataError, match="several sets: .*CIFAR-10 .*, CIFAR-100"):
        load_labelled(tmp_path, "train", NAMES, 32)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    write(tmp_path, python10())
    with (tmp_path / "test_batch").open("wb") as file:
        file.truncate(2**40)  # takes no room on the disk
    with pytest.raises(DataError, match="test_batch has 1,099,511,627,776 bytes, more"):
        load_labelled(tmp_path, "test", NAMES, 32)


def test_an_archive_that_expands_without_end_is_refused(tmp_path):
    path = pack(tmp_path / "x.tar.gz", {"test_batch": bytes(2**26)})
    with pytest.raises(DataError, match="more than 20 times its size"):
        load_labelled(path, "test", NAMES, 32)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.tar.gz cannot be read as a tar archive"),
        (b"<html>", "x.tar.gz cannot be read as a tar archive"),
        (None, "x.tar.gz cannot be read as a tar archive"),
    ],
)
def test_an_archive_that_is_torn_is_one_line(tmp_path, content, message):
    path = pack(tmp_path / "x.tar.gz", python10())
    path.write_bytes(path.read_bytes()[:9000] if content is None else content)
    with pytest.raises(DataError, match=message) as caught:
        load_labelled(path, "test", NAMES, 32)
    assert "\n" not in str(caught.value)


def test_an_archive_of_something_else_is_to_be_unpacked(tmp_path):
    path = pack(tmp_path / "x.tar.gz", {"cat/1.png": b"x"})
    with pytest.raises(DataError, match="holds no set of a known layout .*unpack it"):
        load_labelled(path, "test", NAMES, 32)


def test_nothing_is_written_beside_an_archive(tmp_path):
    path = pack(tmp_path / "x.tar.gz", python10())
    load_labelled(path, "train", NAMES, 32)
    assert list(tmp_path.iterdir()) == [path]
