from dataclasses import replace

import pytest

from jinv.errors import ConfigError
from jinv.models.facts import Facts
from jinv.models.spec import class_names
from jinv.models.weights.writing import write_weights


def test_names_are_trimmed_and_composed():
    assert class_names(["  day", "Ka\u0308fer", "a/b", ".."]) == (
        "day", "K\u00e4fer", "a/b", "..",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b", "a"], "classes 0 and 2 are both called 'a'"),
        (["K\u00e4fer", "Ka\u0308fer"], "classes 0 and 1 are both called"),
        (["a", " "], "the name of class 1 is ' ': expected 1 to 120 letters"),
        (["a", ""], "the name of class 1 is ''"),
        (["a", "x" * 300], "the name of class 1 is 'xxx"),
        (["a", "b\nc"], "the name of class 1 is 'b"),
        (["only"], "at least 2 names, found 1"),
        ("cat,dog", "expected their names, e.g. .*, found 'cat,dog'"),
        (10, "expected their names, e.g. .*, found 10"),
        ([0, 1], "expected their names"),
        ([], "expected their names"),
    ],
)
def test_names_that_cannot_be_keys_are_refused(tiny, names, message):
    with pytest.raises(ConfigError, match=message):
        class_names(names)
    with pytest.raises(ConfigError, match=f"tiny: .*{message}"):
        replace(tiny.spec, classes=names)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"mean": (123.7, 116.3, 103.5)}, "mean: .* in 0..255, divide them by 255"),
        ({"std": (58.4, 57.1, 57.4)}, "std: .* divide them by 255"),
        ({"std": (0.2, 0.0, 0.2)}, "std: expected numbers over 0 to 1"),
        ({"std": (0.2, -0.2, 0.2)}, "std: expected numbers over 0 to 1"),
        ({"mean": (0.2, -0.1, 0.2)}, "mean: expected numbers from 0 to 1"),
        ({"mean": (0.2, float("nan"), 0.2)}, "mean: expected a list of numbers"),
        ({"mean": (0.2, 0.2)}, r"mean has 2 value\(s\) and std 3"),
        ({"mean": 0.5}, "mean: expected a list of numbers, found 0.5"),
        ({"input_size": 0}, "input_size: expected a whole number from 1"),
        ({"input_size": (32, 32)}, "input_size: expected a whole number from 1"),
    ],
)
def test_facts_that_cannot_be_true_are_refused(tiny, facts, message):
    with pytest.raises(ConfigError, match=f"tiny: {message}"):
        replace(tiny.spec, **facts)


def test_facts_survive_their_file_and_differ_from_the_zoos(tiny, tmp_path):
    told = Facts(("day", "night"), 16, (0.5,) * 3, (0.25,) * 3)
    spec = told.applied(tiny.spec)
    assert Facts.of(spec) == told and spec.name == "tiny"
    path = tmp_path / "w.safetensors"
    about = {"model": "tiny", **told.to_json()}
    first = write_weights(path, {}, about)
    assert all(write_weights(path, {}, about) == first for _ in range(10))


def test_what_is_told_nearer_comes_first():
    given, file = Facts(mean=(0.4,)), Facts(mean=(0.5,), input_size=28)
    assert given.otherwise(file) == Facts(mean=(0.4,), input_size=28)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"classes": "cat"}, None),
        ({"classes": [1, 2]}, "classes: expected a list"),
        ({"mean": ["a"]}, "mean: expected a list"),
        ({"mean": [True]}, "mean: expected a list"),
        ({"input_size": 32.0}, "input_size: expected pixels"),
        ({"epoch": 3, "std": [1, 1, 1]}, None),
    ],
)
def test_a_companion_file_tells_some_facts_or_is_refused(found, message):
    if message is None:
        assert isinstance(Facts.from_json(found), Facts)
    else:
        with pytest.raises(ValueError, match=message):
            Facts.from_json(found)
