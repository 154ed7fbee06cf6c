"""Annotations say what a value may be, and are believed everywhere."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import jax.numpy as jnp
import numpy as np
import pytest

import jinv
from jinv.checked import Checked, check_all, checked
from jinv.engine.execution import Execution
from jinv.errors import ConfigError, ValueRefused
from jinv.inversion.methods import METHODS
from jinv.inversion.presets import Preset
from jinv.supermask.hidden import Supermask
from jinv.transfer.train_config import TrainConfig
from jinv.values import (
    Count,
    Natural,
    NotNegative,
    Positive,
    Range,
    Seed,
    Share,
    ShareBelow1,
    converted,
    describe_kind,
)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Positive, 1, 1.0),
        (Positive, np.float32(0.5), 0.5),
        (Share, 0, 0.0),
        (ShareBelow1, 0.99, 0.99),
        (Count, np.int64(3), 3),
        (Seed, 2**32 - 1, 2**32 - 1),
        (bool, np.bool_(True), True),
        (tuple[Count, ...], [500, 100], (500, 100)),
        (tuple[Count, ...], np.array([5, 1]), (5, 1)),
        (tuple[float, float], (1, 0.5), (1.0, 0.5)),
        (Count | None, None, None),
        (Path, "runs", Path("runs")),
        (Path, "~/runs", Path.home() / "runs"),
        (Literal["adam", "sgd"], "sgd", "sgd"),
        (Sequence[str], ("a", "b"), ["a", "b"]),
        (Mapping[str, Path | str], {"a": "~/b"}, {"a": Path.home() / "b"}),
        (Sequence[float], jnp.array([0.5, 2]), [0.5, 2.0]),
        (Count, np.array(3), 3),
        (Any, object, object),
    ],
)
def test_what_fits_is_taken_in_pythons_own_types(kind, value, expected):
    found = converted(kind, value, "x")
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (Positive, 0, "x: expected a number over 0, found 0"),
        (Positive, math.inf, "over 0, found inf"),
        (NotNegative, math.nan, "from 0, found nan"),
        (float, 10**400, "expected a number, found 1000"),
        (float, "0.1", "expected a number, found '0.1'"),
        (float, True, "expected a number, found True"),
        (Share, 1.01, "from 0 to 1, found 1.01"),
        (ShareBelow1, 1, "from 0 to below 1, found 1"),
        (Count, 0, "a whole number from 1 to 2,147,483,647, found 0"),
        (Count, 3.0, "a whole number from 1 to 2,147,483,647, found 3.0"),
        (Natural, 2**31, "to 2,147,483,647, found 2147483648"),
        (Seed, -1, "from 0 to 4,294,967,295, found -1"),
        (bool, 1, "expected true or false, found 1"),
        (tuple[Count, ...], "12", "a list of whole numbers from 1 to 2,147,483,647"),
        (tuple[Count, ...], (3, -1), "found (3, -1)"),
        (tuple[ShareBelow1, ShareBelow1], (0.5,), "2 numbers from 0 to below 1"),
        (Literal["adam", "sgd"], "adamm", "adam or sgd, found 'adamm' (did you mean"),
        (Path, 3, "expected a path, found 3"),
        (Seed | None, "a", "a whole number from 0 to 4,294,967,295, or None"),
        (str, b"a", "expected text, found b'a'"),
        (Mapping[str, Path], {"a": 3}, "a mapping by text, each of a path, found {'a'"),
        (Mapping[str, Any], ["a"], "expected a mapping by text, found ['a']"),
        (Execution, 3, "expected a Execution, found 3"),
        (float, np.zeros((2, 3)), "found an array of shape (2, 3)"),
        (float, "long" * 99, "lon...long"),
        (
            float,
            {name: [0] * 99 for name in "abcdefgh"},
            "'d': [0, 0, 0, 0, 0, 0, ...], ...}",
        ),
    ],
)
def test_what_does_not_fit_is_explained_on_one_line(kind, value, message):
    with pytest.raises(ValueRefused) as error:
        converted(kind, value, "x")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_range_may_be_over_and_up_to():
    kind = Annotated[float, Range(over=0, most=1)]
    assert describe_kind(kind) == "a number over 0 and up to 1"
    assert converted(kind, 1, "x") == 1


@dataclass(frozen=True)
class Config(Checked):
    rate: Positive = 0.1
    sizes: tuple[Count, ...] = ()


@dataclass(frozen=True)
class Options:
    count: Count | None = None
    config: Config = field(default_factory=Config)


def test_a_checked_class_refuses_and_makes_alike():
    assert Config(sizes=[4, 8]) == Config(sizes=(4, 8))  # pyright: ignore
    with pytest.raises(ConfigError, match="rate: expected a number over 0"):
        Config(rate=-1)


def test_options_are_checked_with_what_is_inside():
    check_all(Options(3))
    with pytest.raises(ConfigError, match="count: expected a whole number from 1"):
        check_all(Options(0))


@checked
def repeat(text: str, times: Count = 1, *, end: Callable[[], str] = str) -> str:
    return text * times + end()


def test_arguments_of_functions_are_checked():
    assert repeat("a", np.int32(2)) == "aa"
    with pytest.raises(ConfigError, match="times: expected a whole number from 1"):
        repeat("a", times=0)
    with pytest.raises(ConfigError, match=r"'tims'; it takes text, times, end"):
        repeat("a", tims=2)  # pyright: ignore
    with pytest.raises(ConfigError, match="missing a required argument: 'text'"):
        repeat()  # pyright: ignore


SETTINGS = [
    *(info.kind for info in METHODS.values()),
    Execution,
    TrainConfig,
    Supermask,
]


def ranged(kind) -> list:
    """The range of each number that an annotation lets in."""
    if get_origin(kind) is Annotated:
        return [note for note in get_args(kind)[1:] if isinstance(note, Range)]
    if get_origin(kind) is tuple:
        return [r for part in get_args(kind) if part is not ... for r in ranged(part)]
    return [None] if kind in (int, float) else []


@pytest.mark.parametrize("kind", [*SETTINGS, Preset])
def test_every_number_of_every_settings_class_has_a_range(kind):
    assert is_dataclass(kind) and issubclass(kind, Checked)
    hints = get_type_hints(kind, include_extras=True)
    assert [n for n, hint in hints.items() if None in ranged(hint)] == []


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -1, "x", None, 2**70])
def test_no_field_of_a_settings_class_takes_nonsense(kind, value):
    for each in fields(kind):
        # Text is what some fields are; all else is nonsense to every one of them.
        if isinstance(getattr(kind(), each.name), str) and value == "x":
            continue
        if value == 2**70 and get_type_hints(kind)[each.name] is float:
            continue
        with pytest.raises(ConfigError, match=f"{each.name}: expected"):
            kind(**{each.name: value})


def test_the_public_functions_check_their_arguments(tiny):
    with pytest.raises(ConfigError, match="name: expected text, found 3"):
        jinv.load_classifier(3)  # pyright: ignore
    with pytest.raises(ConfigError, match="images: expected a whole number from 1"):
        jinv.make_job(tiny, "cat", images=0)
    with pytest.raises(ConfigError, match="classifier: expected a Classifier, found"):
        jinv.invert("cifar10_resnet20", "cat")  # pyright: ignore
    with pytest.raises(ConfigError, match="unknown setting 'imagess'"):
        jinv.invert(tiny, "cat", imagess=3)
    with pytest.raises(ConfigError, match="seed: expected a whole number from 0"):
        jinv.make_classifier(tiny.spec, seed=2**32)
