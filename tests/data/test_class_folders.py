import unicodedata

import numpy as np
import pytest

from jinv.data.class_folders import (
    check_folders,
    class_name,
    folder_names,
    labels_by_folder,
)
from jinv.data.exporting import Description, Example, export
from jinv.data.sets import batch_numbers_of, classes_of, load_labelled
from jinv.errors import DataError

STRANGE = (
    "a/b", "a-b", "..", ".", "con", "CON.txt", "nul ", "aux", "com1.tar.gz", "Cat",
    "cat", "CAT", "Ka\u0308fer", "K\u00e4fer", "🦊", "%41", "A", "a", "100%", "a\\b",
    'x:*?"<>|', " ", "dot.", ".hidden", "tab\there", "\u007f", "straße", "strasse",
    "STRASSE", "__MACOSX", "metadata.jsonl", "İ", "i", "𝕏", "a%2Fb", "\u212b", "Å",
)  # fmt: skip


def test_names_and_folders_are_one_to_one():
    folders = folder_names(STRANGE)
    assert [class_name(folder) for folder in folders] == list(STRANGE)
    met = {unicodedata.normalize("NFC", folder).casefold() for folder in folders}
    assert len(met) == len(STRANGE)


@pytest.mark.parametrize("folder", folder_names(STRANGE))
def test_a_folder_is_one_that_every_file_system_takes(folder):
    assert not set(folder) & set('/\\:*?"<>|')
    assert folder.isprintable()
    assert not folder.startswith(".") and not folder.endswith((".", " "))
    stem = folder.lower().split(".")[0].rstrip(" ")
    assert stem not in ("con", "prn", "aux", "nul", "com1")


def test_plain_names_stay_as_they_are():
    names = ("airplane", "aquarium_fish", "Tench", "K\u00e4fer", "class 7", "a.b", "🦊")
    assert folder_names(names) == names


@pytest.mark.parametrize("folder", ["100%", "50%zz", "%E4", "%"])
def test_what_is_not_encoded_is_not_decoded(folder):
    assert class_name(folder) == folder


def test_a_folder_is_found_in_either_form_of_unicode():
    nfd = unicodedata.normalize("NFD", "K\u00e4fer")
    assert nfd != "K\u00e4fer"
    assert labels_by_folder([nfd], ["x", "K\u00e4fer"]) == {nfd: 1}
    assert class_name(nfd) == "K\u00e4fer"


def test_folders_of_old_are_found_where_nothing_else_can_be_meant():
    assert labels_by_folder(["a-b"], ["a/b", "c"]) == {"a-b": 0}
    assert labels_by_folder(["a-b"], ["a/b", "a-b"]) == {"a-b": 1}
    assert labels_by_folder(["a-b-c"], ["a/b-c", "a-b/c"]) == {"a-b-c": None}


@pytest.mark.parametrize("name", ["100%", "%41", "Cat", "a%2Fb"])
def test_a_folder_may_be_called_as_the_class_itself(name):
    assert labels_by_folder([name], ["other", name]) == {name: 1}


def test_what_an_encoded_name_means_comes_first():
    classes = ["A", "a", "%41"]
    assert labels_by_folder(folder_names(classes), classes) == {
        "%41": 0,
        "a": 1,
        "%2541": 2,
    }


@pytest.mark.parametrize("form", ["folder", "npz"])
def test_a_set_of_strange_names_is_read_back_with_its_labels(tmp_path, form):
    count = len(STRANGE)
    images = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), np.uint8)
    examples = [Example(i, images[i], i, {"batch": i}) for i in range(count)]
    export(form, tmp_path, Description("train", STRANGE, count, 4), examples)
    data = load_labelled(tmp_path, "train", STRANGE, 4)
    found, labels = data.read(np.arange(count))
    assert sorted(labels) == list(range(count))
    np.testing.assert_array_equal(found, images[labels])
    np.testing.assert_array_equal(batch_numbers_of(tmp_path, "train", count), labels)
    assert sorted(classes_of(tmp_path, "train") or ()) == sorted(STRANGE)


def test_a_name_too_long_for_a_folder_is_found_beforehand():
    check_folders(["cat", "ä" * 100])
    with pytest.raises(DataError, match="300 bytes, at most 255"):
        check_folders(["cat", "/" * 100])
