import os
import warnings

import numpy as np
import pytest
from PIL import Image

from jinv.data.image_files import list_images
from jinv.data.sets import batch_numbers_of, classes_of, has_split, load_labelled
from jinv.errors import DataError, JinvWarning

CLASSES = ("cat", "dog")


def picture(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {"jfif": "JPEG", "jpg": "JPEG", "JPG": "JPEG"}.get(path.suffix[1:])
    kind = kind or {"pgm": "PPM", "tif": "TIFF"}.get(path.suffix[1:])
    Image.new("RGB", (8, 8), (value,) * 3).save(path, kind)
    return path


def files_of(root):
    found = list_images(root).files.values()
    return [file.relative_to(root).as_posix() for files in found for file in files]


def said(caught):
    return [str(w.message) for w in caught if w.category is JinvWarning]


@pytest.mark.parametrize(
    "suffix",
    "jpg JPG jpeg jfif png PNG ppm pgm bmp BMP tif tiff TIFF webp gif".split(),
)
def test_every_kind_that_torchvision_reads_is_read(tmp_path, suffix):
    place = tmp_path / "train" / "dog" / f"x.{suffix}"
    picture(tmp_path / "x.png", 200)
    place.parent.mkdir(parents=True)
    kind = {"jfif": "JPEG", "pgm": "PPM"}.get(suffix.lower())
    Image.open(tmp_path / "x.png").convert("L" if suffix == "pgm" else "RGB").save(
        place, kind
    )
    images, labels = load_labelled(tmp_path, "train", CLASSES, 8).read([0])
    assert labels.tolist() == [1] and abs(int(images.mean()) - 200) < 3


def test_images_lie_in_the_order_of_their_paths(tmp_path):
    for name in ("b/2.png", "b/10.png", "b/a/z.png", "b/Z/1.png", "a/1.png", "B/x.png"):
        picture(tmp_path / name)
    assert files_of(tmp_path) == [
        "B/x.png", "a/1.png", "b/10.png", "b/2.png", "b/Z/1.png", "b/a/z.png"
    ]  # fmt: skip


def test_an_image_deep_below_a_class_has_its_label(tmp_path):
    picture(tmp_path / "train" / "cat" / "x.png")
    picture(tmp_path / "train" / "dog" / "2024" / "may" / "x.png")
    assert load_labelled(tmp_path, "train", CLASSES, 8).labels.tolist() == [0, 1]


def test_a_folder_as_programs_leave_it_gives_its_images_alone(tmp_path):
    root = tmp_path / "train"
    for name in ("cat/1.png", "dog/1.png"):
        picture(root / name)
    junk = (
        "cat/._1.png", "cat/.ipynb_checkpoints/1-checkpoint.png",
        "__MACOSX/cat/._1.png", ".ipynb_checkpoints/x.png", "cat/__MACOSX/2.png",
    )  # fmt: skip
    for name in junk:
        picture(root / name)
    for name in (".DS_Store", "cat/.DS_Store", "cat/Thumbs.db", "dog/notes.txt"):
        (root / name).write_text("x")
    (root / "dog" / "dead.png").symlink_to(tmp_path / "nowhere.png")
    (root / "logs").mkdir()
    (root / "empty").mkdir()
    (root / "metadata.jsonl").write_text("{}")
    with pytest.warns(JinvWarning) as caught:
        data = load_labelled(tmp_path, "train", CLASSES, 8)
    assert data.labels.tolist() == [0, 1]
    assert classes_of(tmp_path, "train") == CLASSES
    (text,) = said(caught)
    assert text.startswith(f"{root}: 10 files were left out: 7 hidden (")
    assert "1 dead link (dead.png)" in text
    assert "2 of another kind (.db, .txt)" in text and "metadata" not in text


def test_what_is_left_out_is_said_once(tmp_path):
    picture(tmp_path / "train" / "cat" / "1.png")
    (tmp_path / "train" / "cat" / "a.csv").write_text("x")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            load_labelled(tmp_path, "train", CLASSES, 8)
    assert len(said(caught)) == 1
    assert said(caught)[0].endswith("1 file was left out: 1 of another kind (.csv)")


def test_a_folder_of_ours_is_read_without_a_word(tmp_path):
    picture(tmp_path / "train" / "cat" / "1.png")
    (tmp_path / "train" / "metadata.jsonl").write_text(
        '{"file_name": "cat/1.png", "batch": 3}\n'
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_labelled(tmp_path, "train", CLASSES, 8)
    assert batch_numbers_of(tmp_path, "train", 1).tolist() == [3]


def test_images_in_no_class_are_told(tmp_path):
    picture(tmp_path / "train" / "cat" / "1.png")
    picture(tmp_path / "train" / "stray.png")
    with pytest.warns(JinvWarning, match=r"1 in no class's folder \(stray.png\)"):
        load_labelled(tmp_path, "train", CLASSES, 8)


@pytest.mark.parametrize(
    ("kind", "content"),
    [("evaluation.json", "{}"), ("config.json", '{"evaluation": {"set": "x"}}')],
)
def test_an_evaluation_beside_the_classes_is_none_of_them(tmp_path, kind, content):
    picture(tmp_path / "cat" / "1.png")
    picture(tmp_path / "evaluation" / "figure.png")
    # Finished, or begun and killed.
    (tmp_path / "evaluation" / kind).write_text(content)
    assert classes_of(tmp_path, ".") == ("cat",)
    assert load_labelled(tmp_path, ".", CLASSES, 8).labels.tolist() == [0]


def test_links_are_followed_but_not_in_a_circle(tmp_path):
    root = tmp_path / "train"
    picture(tmp_path / "elsewhere" / "1.png", 9)
    (root / "cat").mkdir(parents=True)
    (root / "cat" / "more").symlink_to(tmp_path / "elsewhere")
    (root / "dog").symlink_to(tmp_path / "elsewhere")
    (root / "cat" / "round").symlink_to(root)
    (root / "cat" / "self").symlink_to(root / "cat" / "self")
    (tmp_path / "elsewhere" / "back").symlink_to(root / "cat")
    with pytest.warns(JinvWarning, match="4 links in a circle .*, 2 dead links"):
        data = load_labelled(tmp_path, "train", CLASSES, 8)
    assert data.labels.tolist() == [0, 1]
    assert files_of(root) == ["cat/more/1.png", "dog/1.png"]


def test_a_pipe_is_no_image(tmp_path):
    picture(tmp_path / "train" / "cat" / "1.png")
    os.mkfifo(tmp_path / "train" / "cat" / "2.png")
    with pytest.warns(JinvWarning, match="1 of another kind"):
        assert len(load_labelled(tmp_path, "train", CLASSES, 8)) == 1


def test_a_torn_image_is_named_when_it_is_read(tmp_path):
    place = picture(tmp_path / "train" / "cat" / "1.png")
    place.write_bytes(place.read_bytes()[:40])
    data = load_labelled(tmp_path, "train", CLASSES, 8)
    with pytest.raises(DataError, match="cat/1.png cannot be read as an image"):
        data.read([0])


@pytest.mark.parametrize(
    ("there", "split", "message"),
    [
        (
            ["Train"],
            "train",
            "no folder 'train', but 'Train': name or link it 'tr",
        ),
        (["training"], "train", "no folder 'train', but 'training'"),
        (
            ["train", "val"],
            "test",
            "no folder 'test', but 'val': .* --test-split val",
        ),
        (["train", "valid", "validation"], "test", "but 'valid', 'validation'"),
        (["train", "testing"], "test", "no folder 'test', but 'testing'"),
        (["test"], "val", "no folder 'val', but 'test'"),
    ],
)
def test_a_split_of_another_name_is_not_guessed(tmp_path, there, split, message):
    for name in there:
        picture(tmp_path / name / "cat" / "1.png")
    with pytest.raises(DataError, match=message):
        load_labelled(tmp_path, split, CLASSES, 8)
    with pytest.raises(DataError, match=message):
        has_split(tmp_path, split)


@pytest.mark.parametrize(
    ("there", "split", "message"),
    [
        (["cat/1.png"], "train", "no folder 'train'; it holds 'cat'; .* split is '.'"),
        ([], "train", "no folder 'train'; it is empty"),
        (["train/cat/a.txt"], "train", "train holds no images: expected them in a"),
        (["train/1.png"], "train", "train holds no images"),
        (["train/zebra/1.png"], "train", "'zebra' is named after no class of the mo"),
        (["train/Cat/1.png"], "train", r"'Cat' is .* \(did you mean cat\?\)"),
        (["train/x/1.png", "train/y/1.png"], "train", "'x', 'y' are named after no"),
        (["train/cat/1.png", "val/cat/1.png"], ".", "'train', 'val' are named after"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_folder_that_is_no_set_is_one_line(tmp_path, there, split, message):
    for name in there:
        if name.endswith(".png"):
            picture(tmp_path / name)
        else:
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).write_text("x")
    with pytest.raises(DataError, match=message) as caught:
        load_labelled(tmp_path, split, CLASSES, 8)
    assert "\n" not in str(caught.value)


def test_a_folder_has_no_other_splits_than_its_folders(tmp_path):
    picture(tmp_path / "train" / "cat" / "1.png")
    assert has_split(tmp_path, "train") and not has_split(tmp_path, "test")


def test_metadata_in_another_form_of_unicode_tells_the_batches(tmp_path):
    picture(tmp_path / "train" / "Ka\u0308fer" / "1.png")
    (tmp_path / "train" / "metadata.jsonl").write_text(
        '{"file_name": "K\\u00e4fer/1.png", "batch": 3}\n'
    )
    np.testing.assert_array_equal(batch_numbers_of(tmp_path, "train", 1), [3])
