import numpy as np
import pytest

from jinv.errors import ConfigError
from jinv.inversion.classes import RANDOM, assign_labels, parse_classes

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
