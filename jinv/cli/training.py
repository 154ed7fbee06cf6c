"""What the commands that train a network have in common."""

import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from jinv.cli.progress import LessonProgress
from jinv.console import make_console
from jinv.data.labelled import ChosenImages, LabelledImages, hold_out
from jinv.data.sets import classes_of, has_split, load_labelled, soft_labels_of
from jinv.data.soft_labels import SoftLabels
from jinv.devices import backend
from jinv.errors import ConfigError, DataError
from jinv.models.facts import Facts
from jinv.models.spec import ClassifierSpec
from jinv.models.zoo import classifier_spec
from jinv.synthesis.synthetic_set import folder_of
from jinv.transfer.train_config import TrainConfig

_ACCURACIES = {
    "accuracy": "accuracy",
    "test_accuracy": "test",
    "real_accuracy": "real",
}
"""What an epoch's line calls the accuracies that its row of the log has."""


def network_of(
    model: str, facts: Facts, data: str, split: str = "train"
) -> ClassifierSpec:
    """Specify what is to be trained: the zoo's network, with the facts given.

    The classes are those that were given; else the zoo's, if these are all that the set
    names; else those that the set names itself.

    Args:
        model: Name of the network in the zoo.
        facts: Facts that were given.
        data: Set of the training images.
        split: Split of the training images.

    Raises:
        ConfigError: The zoo has no such model, or a fact cannot be true.
        DataError: The set cannot be read.
    """
    spec = facts.applied(classifier_spec(model))
    own = classes_of(data, split)
    if facts.classes or own is None or set(own) <= set(spec.classes):
        return spec
    make_console().print(
        f"{data} names classes of its own, which the network is to tell apart: "
        f"{', '.join(own[:10])}{', …' if len(own) > 10 else ''}"
    )
    return Facts(classes=own).applied(spec)


def load_splits(
    source: str,
    spec: ClassifierSpec,
    test: str | None = None,
    seed: int = 0,
    split: str = "train",
    test_split: str = "test",
) -> tuple[LabelledImages, LabelledImages]:
    """Load images to train with and images to test by, as a network takes them.

    Where there are no test images, a tenth of the training images is held out, and a
    line says so.

    Args:
        source: Set of the training images; see `load_labelled`.
        spec: Specification of the network.
        test: Set whose test images are taken instead of those of `source`.
        seed: Seed that chooses held-out images.
        split: Split of the training images.
        test_split: Split of the test images.

    Raises:
        ConfigError: Both are the same images.
        DataError: A set cannot be read, or `test` has no test images, or neither has
            and there are too few images to hold some out.
    """
    training = load_images(source, split, spec)
    if has_tests(source, split, test, test_split):
        return training, load_images(test or source, test_split, spec)
    if test is not None or test_split != "test":
        raise DataError(
            f"{test or source} has no {test_split} images: expected x_{test_split} and "
            f"y_{test_split} in an .npz file, a folder with {test_split}/CLASS/*.png, "
            f"or a split {test_split!r} of tfds"
        )
    rest, held_out = hold_out(training, seed)
    if len(held_out) == 0:
        raise DataError(
            f"{source} has no test images, and of its {len(training)} training images "
            "no tenth can be held out: give test images by --test SET"
        )
    make_console().print(
        f"{source} has no test images: {len(held_out)} of its {len(training)} are held "
        "out; --test gives others"
    )
    return rest, held_out


def has_tests(source: str, split: str, test: str | None, test_split: str) -> bool:
    """Whether there are test images, which are none of those that are learnt from.

    Args:
        source: Set of the images that are learnt from.
        split: Split of these.
        test: Set of the test images; None for `source`.
        test_split: Split of the test images.

    Raises:
        ConfigError: They are given, and are the same images.
    """
    if (_place(source), split) != (_place(test or source), test_split):
        return has_split(test or source, test_split)
    if test is not None:
        raise ConfigError(
            f"the {split} images of {source} cannot be learnt from and tested by: give "
            "another --test-split, or other images by --test SET"
        )
    return False


def _place(source: str) -> Path | str:
    """Path of a set, however it is written; its name where it is no file."""
    place = folder_of(source)
    return place.resolve() if place.exists() else source


def load_images(source: str, split: str, spec: ClassifierSpec) -> LabelledImages:
    """Load a split of a set as a network takes it; see `load_labelled`."""
    return load_labelled(source, split, spec.classes, spec.input_size, spec.channels)


def load_soft_labels(
    source: str, split: str, spec: ClassifierSpec, training: LabelledImages
) -> SoftLabels:
    """Load what a teacher said of the images to train with.

    Args:
        source: Set of these images.
        split: Split of these images.
        spec: Specification of the network, for the order of its classes.
        training: These images; of a part of the set, it is what was said of that part.

    Raises:
        DataError: The set has no soft labels, or not those of its images or of the
            network's classes.
    """
    if not isinstance(training, ChosenImages):
        return soft_labels_of(source, split, spec.classes, len(training))
    found = soft_labels_of(source, split, spec.classes, len(training.whole))
    return found._replace(logits=found.logits[training.chosen])


def epoch_progress(console: Console, epochs: int) -> LessonProgress:
    """Follow a training, whose parts are epochs, and the accuracies that it logs."""
    return LessonProgress(console, "epoch", epochs, _accuracies)


def _accuracies(row: Mapping[str, float]) -> str:
    found = (f"{t} {row[n]:.2f} %" for n, t in _ACCURACIES.items() if n in row)
    return "  ".join(found)


def announcer(
    console: Console,
    verb: str,
    spec: ClassifierSpec,
    training: LabelledImages,
    config: TrainConfig,
    out: Path,
) -> Callable[[], None]:
    """Make the function that prints what begins, and where its progress is kept."""
    return lambda: console.print(
        f"{verb} {spec.name} on {len(training)} images for {config.epochs} epochs "
        f"({backend()}); progress is kept in {out}"
    )


def about_sets(
    command: str,
    data: str,
    test: str | None,
    splits: tuple[LabelledImages, LabelledImages],
) -> dict[str, Any]:
    """What a card says of a training besides what the training knows itself.

    Args:
        command: Name of the sub-command.
        data: Where the images come from.
        test: Where the test images come from, if from elsewhere.
        splits: Training and test images; see `load_splits`.
    """
    return {"data": _described(data, test, *splits), "command": command_line(command)}


def _described(
    source: str, test: str | None, training: LabelledImages, tested: LabelledImages
) -> str:
    if test is not None:
        return (
            f"{source} ({len(training)} training images), {test} ({len(tested)} test "
            "images)"
        )
    # A set's own test images are taken whole.
    held_out = isinstance(tested, ChosenImages)
    return (
        f"{source} ({len(training)} training, {len(tested)} "
        f"{'held-out' if held_out else 'test'} images)"
    )


def command_line(command: str) -> str:
    """Write the words with which this process was started, as `jinv` takes them."""
    words = sys.argv[1:]
    # A script has no name of a sub-command.
    words = words[1:] if words[:1] == [command] else words
    return shlex.join(["jinv", command, *words])
