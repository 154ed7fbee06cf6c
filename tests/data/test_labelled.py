import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from jinv.data.exporting import Description, Example, export
from jinv.data.labelled import (
    ArrayImages,
    JoinedImages,
    SomeImages,
    hold_out,
    minibatches,
)
from jinv.data.sets import (
    batch_numbers_of,
    classes_of,
    has_split,
    load_labelled,
)
from jinv.errors import DataError

CLASSES = ("cat", "dog")
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
LABELS = np.array([0, 1, 1, 0, 1])


@pytest.fixture
def npz(tmp_path):
    np.savez(tmp_path / "set.npz", x_train=IMAGES, y_train=LABELS)
    return str(tmp_path / "set.npz")


@pytest.fixture
def folder(tmp_path):
    for number, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        place = tmp_path / "set" / "train" / CLASSES[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.png")
    return tmp_path / "set"


def test_an_npz_file_is_read(npz):
    data = load_labelled(npz, "train", CLASSES, 8)
    images, labels = data.read([3, 1])
    np.testing.assert_array_equal(images, IMAGES[[3, 1]])
    np.testing.assert_array_equal(labels, [0, 1])


def test_a_folder_is_read_without_loss(folder):
    data = load_labelled(str(folder), "train", CLASSES, 8)
    images, labels = data.read(np.arange(5))
    np.testing.assert_array_equal(labels, [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(images, IMAGES[[0, 3, 1, 2, 4]])


@pytest.mark.parametrize("axes", [(8, 8), (8, 8, 1)])
def test_grey_images_in_an_npz_file_need_no_last_axis(tmp_path, axes):
    grey = IMAGES[..., 0]
    path = tmp_path / "grey.npz"
    np.savez(path, x_train=grey.reshape(5, *axes), y_train=LABELS)
    images, labels = load_labelled(str(path), "train", CLASSES, 8, 1).read([3, 1])
    np.testing.assert_array_equal(images, grey[[3, 1], ..., None])
    np.testing.assert_array_equal(labels, [0, 1])
    with pytest.raises(DataError, match="expected colour images .*, found grey ones"):
        load_labelled(str(path), "train", CLASSES, 8)


def test_colour_in_an_npz_file_is_refused_where_grey_is_needed(npz):
    with pytest.raises(DataError, match="expected grey images .*, found colour ones"):
        load_labelled(npz, "train", CLASSES, 8, 1)


def test_folders_become_grey_or_colour_as_needed(folder):
    luma = IMAGES @ [0.299, 0.587, 0.114]
    grey, _ = load_labelled(str(folder), "train", CLASSES, 8, 1).read([0, 1])
    assert grey.shape == (2, 8, 8, 1) and grey.dtype == np.uint8
    np.testing.assert_allclose(grey[..., 0], luma[[0, 3]], atol=0.51)
    for path in folder.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    colour, _ = load_labelled(str(folder), "train", CLASSES, 8).read([0, 1])
    np.testing.assert_array_equal(colour, grey.repeat(3, -1))


def test_larger_images_are_scaled_and_cut(folder):
    wide = np.zeros((100, 300, 3), np.uint8)
    wide[:, 100:200] = 255
    Image.fromarray(wide).save(folder / "train" / "cat" / "0.png")
    images, _ = load_labelled(str(folder), "train", CLASSES, 8).read([0])
    assert images.shape == (1, 8, 8, 3)
    assert images.mean() > 240
    grey, _ = load_labelled(str(folder), "train", CLASSES, 8, 1).read([0])
    assert grey.shape == (1, 8, 8, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "nowhere"}, "no labelled images at 'nowhere'"),
        ({"split": "test"}, "no x_test and no y_test"),
        ({"size": 32}, "expected images of 32x32 pixels, found 8x8"),
        ({"classes": ("cat",)}, "labels must lie in 0..0"),
    ],
)
def test_what_cannot_be_read_is_explained(npz, change, message):
    request = {"source": npz, "split": "train", "classes": CLASSES, "size": 8} | change
    with pytest.raises(DataError, match=message):
        load_labelled(**request)


def test_a_folder_of_an_unknown_class_is_refused(folder):
    (folder / "train" / "cat").rename(folder / "train" / "zebra")
    with pytest.raises(DataError, match="'zebra' is named after no class"):
        load_labelled(str(folder), "train", CLASSES, 8)


def test_batches_cover_the_order(npz):
    data = load_labelled(npz, "train", CLASSES, 8)
    labels = np.concatenate([y for _, y in minibatches(data, np.arange(5)[::-1], 2)])
    np.testing.assert_array_equal(labels, LABELS[::-1])
    assert len(list(minibatches(data, np.arange(5), 2, drop_last=True))) == 2


def test_some_images_of_a_set_keep_their_labels(npz):
    data = load_labelled(npz, "train", CLASSES, 8)
    some = SomeImages(data, 3, seed=1)
    images, labels = some.read(np.arange(3))
    assert len(some) == 3
    for image, label in zip(images, labels, strict=True):
        (place,) = [i for i in range(5) if np.array_equal(IMAGES[i], image)]
        assert LABELS[place] == label
    assert len(SomeImages(data, 100, seed=1)) == 5


@pytest.mark.parametrize("form", ["folder", "npz"])
def test_what_export_wrote_to_a_folder_is_read_from_that_folder(tmp_path, form):
    examples = [
        Example(i, IMAGES[i], int(LABELS[i]), {"batch": i // 2}) for i in range(5)
    ]
    export(form, tmp_path, Description("train", CLASSES, 5, 8), examples)
    source = str(tmp_path)
    images, labels = load_labelled(source, "train", CLASSES, 8).read(np.arange(5))
    order = np.argsort(LABELS, kind="stable") if form == "folder" else np.arange(5)
    np.testing.assert_array_equal(images, IMAGES[order])
    np.testing.assert_array_equal(labels, LABELS[order])
    np.testing.assert_array_equal(batch_numbers_of(source, "train", 5), order // 2)
    assert classes_of(source, "train") == CLASSES
    assert has_split(source, "train") and not has_split(source, "test")


def test_a_split_of_what_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no labelled images at .*nothing"):
        has_split(str(tmp_path / "nothing"), "test")


def hundred(labels):
    """Images that differ in all their pixels."""
    images = np.arange(100, dtype=np.uint8)[:, None, None, None]
    return ArrayImages(images.repeat(3, -1), labels)


def test_a_tenth_of_every_class_is_held_out_and_the_rest_remains():
    data = hundred(np.repeat([0, 1, 2], [20, 50, 30]))
    rest, held_out = hold_out(data, seed=1)
    np.testing.assert_array_equal(np.bincount(held_out.labels), [2, 5, 3])
    seen = [part.read(np.arange(len(part)))[0] for part in (rest, held_out)]
    np.testing.assert_array_equal(np.sort(np.concatenate(seen), axis=0), data.images)


def test_the_seed_decides_what_is_held_out():
    data = hundred(np.zeros(100, np.int32))
    chosen = [hold_out(data, seed)[1].read(np.arange(10))[0] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(chosen[0], chosen[1])
    assert not np.array_equal(chosen[0], chosen[2])


def test_few_images_are_all_kept(npz):
    rest, held_out = hold_out(load_labelled(npz, "train", CLASSES, 8), seed=1)
    assert (len(rest), len(held_out)) == (5, 0)


def stand_in_for_tfds(monkeypatch, images):
    """Not tensorflow-datasets, which is large and wants a connection."""
    rows = [{"image": images[i], "label": LABELS[i]} for i in range(5)]
    label = SimpleNamespace(names=["cat", "dog"])
    builder = SimpleNamespace(
        info=SimpleNamespace(splits={"train": 5}, features={"label": label}),
        download_and_prepare=lambda: None,
        as_data_source=lambda split, decoders=None: rows,
    )
    asked = []

    def make(name, file_format):
        asked.append((name, file_format))
        return builder

    decode = SimpleNamespace(SkipDecoding=lambda: None)
    tfds = SimpleNamespace(builder=make, decode=decode)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", tfds)
    return asked


def test_a_set_of_tfds_is_asked_for_by_its_name(monkeypatch):
    asked = stand_in_for_tfds(monkeypatch, IMAGES)
    assert classes_of("tfds:pets", "train") == CLASSES
    images, labels = load_labelled("tfds:pets", "train", CLASSES, 8).read([3, 1])
    np.testing.assert_array_equal(images, IMAGES[[3, 1]])
    np.testing.assert_array_equal(labels, [0, 1])
    assert set(asked) == {("pets", "array_record")}
    assert has_split("tfds:pets", "train") and not has_split("tfds:pets", "test")
    with pytest.raises(DataError, match="has no split 'test', but train"):
        load_labelled("tfds:pets", "test", CLASSES, 8)


def test_a_grey_set_of_tfds_is_read(monkeypatch):
    grey = IMAGES[..., :1]
    stand_in_for_tfds(monkeypatch, grey)
    images, _ = load_labelled("tfds:digits", "train", CLASSES, 8, 1).read([3, 1])
    np.testing.assert_array_equal(images, grey[[3, 1]])
    images, _ = load_labelled("tfds:digits", "train", CLASSES, 8).read([3, 1])
    np.testing.assert_array_equal(images, grey[[3, 1]].repeat(3, -1))


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        "not json",
        "[1]",
        '{"file_name": "cat/0.png"}',
        '{"batch": 1}',
        '{"index": 0}',
    ],
)
def test_sets_of_others_tell_no_batches(folder, npz, metadata):
    if metadata:
        for place in (folder / "train", folder, folder.parent):
            (place / "metadata.jsonl").write_text(5 * f"{metadata}\n")
    assert batch_numbers_of(str(folder), "train", 5) is None
    assert batch_numbers_of(npz, "train", 5) is None


def test_a_set_of_tfds_has_no_metadata_beside_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metadata.jsonl").write_text('{"index": 0, "batch": 1}\n')
    assert batch_numbers_of("tfds:pets", "train", 1) is None


def test_joined_sets_are_read_as_one():
    def made(count, start):
        images = np.arange(start, start + count, dtype=np.uint8)[:, None, None, None]
        return ArrayImages(np.broadcast_to(images, (count, 2, 2, 3)), np.arange(count))

    joined = JoinedImages(made(3, 0), made(0, 9), made(4, 100))
    images, labels = joined.read([6, 0, 3, 2])
    assert images[:, 0, 0, 0].tolist() == [103, 0, 100, 2]
    assert labels.tolist() == [3, 0, 0, 2]
    assert (len(joined), images.dtype) == (7, np.uint8)
