import numpy as np
import pytest

from jinv.errors import ConfigError
from jinv.inversion.classes import (
    RANDOM,
    assign_labels,
    find_classes,
    parse_classes,
)

NAMES = ["plane", "car", "bird", "cat", "black-footed ferret", "plane, jet"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat", (3,)),
        ("CAT,plane", (3, 0)),
        ("1, 2", (1, 2)),
        ("0-2,cat", (0, 1, 2, 3)),
        ("all", (0, 1, 2, 3, 4, 5)),
        ("random,cat", (RANDOM, 3)),
        ("black-footed ferret", (4,)),
        ("plane, jet", (5,)),
    ],
)
def test_classes_are_read(text, expected):
    assert parse_classes(text, NAMES) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cta", "did you mean cat"),
        ("6", "out of range: the classes are 0..5"),
        ("2-9", "out of range"),
        ("3-1", "backwards"),
        (" , ", "no classes"),
    ],
)
def test_what_is_no_class_is_explained(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_classes(text, NAMES)


def test_labels_cycle_through_the_targets():
    np.testing.assert_array_equal(assign_labels((3, 0), 5, 10, 0), [3, 0, 3, 0, 3])


def test_random_targets_are_drawn_for_each_image():
    labels = assign_labels((RANDOM,), 200, 10, seed=1)
    assert set(labels) == set(range(10))
    np.testing.assert_array_equal(labels, assign_labels((RANDOM,), 200, 10, seed=1))
    assert not np.array_equal(labels, assign_labels((RANDOM,), 200, 10, seed=2))


NUMBERED = ["1", "2", "3", "4"]
"""Each class is called by a number that is not its index."""


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([2], (2,)),
        (2, (2,)),
        (np.int64(0), (0,)),
        (np.array([3, 1]), (3, 1)),
        ((0, "name:4"), (0, 3)),
        ("index:2", (2,)),
        ("name:2,index:0-1", (1, 0, 1)),
        ("4", (3,)),  # there is no class of index 4
    ],
)
def test_integers_are_indices_whatever_classes_are_called(asked, expected):
    assert find_classes(asked, NUMBERED) == expected


@pytest.mark.parametrize("asked", ["2", "1-2", ["2"]])
def test_a_text_that_could_be_a_name_or_an_index_is_refused(asked):
    with pytest.raises(ConfigError, match=r"write name:\S+ or index:"):
        find_classes(asked, NUMBERED)


def test_names_that_are_their_indices_need_no_more():
    digits = [str(digit) for digit in range(10)]
    assert find_classes("3,5-7", digits) == (3, 5, 6, 7)


def test_a_name_in_a_list_may_have_commas():
    assert find_classes(["plane, jet", "cat"], NAMES) == (5, 3)
    assert find_classes("plane, jet", NAMES) == (5,)
    with pytest.raises(ConfigError, match="unknown class 'cat,car'"):
        find_classes(["cat,car"], NAMES)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({1, 2}, "a list of names and indices, found {1, 2}"),
        (None, "found None"),
        (2.0, "found 2.0"),
        ([True], r"found \[True\]"),
        ([], r"found \[\]"),
        ([-1], "class -1 is out of range"),
        ([6], "class 6 is out of range: the classes are 0..5"),
        (10**30, "out of range"),
        ("name:dog", "there is no class of this name"),
        ("index:x", "there is no class of this index"),
        (b"cat", "found b'cat'"),
    ],
)
def test_what_asks_for_no_class_is_explained(asked, message):
    with pytest.raises(ConfigError, match=message):
        find_classes(asked, NAMES)


def test_letter_case_matters_only_where_it_tells_classes_apart():
    letters = ["A", "a", "B"]
    assert find_classes("a,A,b", letters) == (1, 0, 2)
    with pytest.raises(ConfigError, match="'CAT' may be 'Cat' and 'cat'"):
        find_classes("CAT", ["Cat", "cat"])


def test_unicode_forms_are_one_name():
    assert find_classes("Ka\u0308fer", ["cat", "K\u00e4fer"]) == (1,)
