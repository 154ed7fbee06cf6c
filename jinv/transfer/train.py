"""Training as one call: a network that learns labels, its weights, card and page."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from jinv.atomic import write_json
from jinv.checked import checked
from jinv.data.labelled import LabelledImages
from jinv.devices import provenance
from jinv.engine.events import LessonEvent, Measured
from jinv.engine.precision import activation_type
from jinv.folders import Folder, Kind, weights_kind
from jinv.metrics_log import METRICS
from jinv.models.classifier import Classifier
from jinv.models.facts import Facts
from jinv.models.spec import ClassifierSpec
from jinv.models.weights.writing import write_variables
from jinv.report.student_page import write_student_page
from jinv.transfer.supervised import Supervised
from jinv.transfer.train_config import TrainConfig
from jinv.values import Natural


def training_kind(model: str) -> Kind:
    """Tell what training a model leaves in a folder."""
    owned = "checkpoint", METRICS, "index.html", "curves.png"
    return weights_kind("training", model, *owned)


class Trained(NamedTuple):
    """What comes out of a training.

    Attributes:
        classifier: Network with its new weights and statistics.
        path: File that holds them; its card lies beside it, as .json.
        achieved: Numbers by name: `test_accuracy` of this network and
            `best_test_accuracy` after any epoch, in percent; `best_epoch`, when that
            was; and, where real images were given, `real_accuracy`.
    """

    classifier: Classifier
    path: Path
    achieved: dict[str, float]


@checked
def train(
    classifier: Classifier,
    training: LabelledImages,
    test: LabelledImages,
    config: TrainConfig,
    folder: Path | str,
    report: Callable[[dict[str, float]], None] = lambda _: None,
    devices: Natural = 1,
    *,
    overwrite: bool = False,
    storage: Literal["float32", "float16"] = "float32",
    about: Mapping[str, Any] | None = None,
    on_start: Callable[[], None] = lambda: None,
    on_event: Callable[[LessonEvent], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
    soft_labels: np.ndarray | None = None,
    real: LabelledImages | None = None,
) -> Trained:
    """Train a classifier on labelled images.

    Writes MODEL.safetensors, MODEL.json (its card), index.html and curves.png to
    `folder`, where a later call with the same configuration goes on. When training
    ends, the running statistics are replaced by the population's; see
    `population_statistics`.

    Args:
        classifier: Network with its initial weights; `config` decides its precision.
        training: Images to learn from.
        test: Images to measure the accuracy on.
        config: How to train.
        folder: Folder of the training.
        report: Called after every epoch with its row of the log.
        devices: Devices that each batch is spread over; 0 for as many as share it
            evenly. They change nothing but the order of sums: BatchNorm sees the whole
            batch.
        overwrite: Whether to remove the training that the folder holds.
        storage: Type in which the weights are stored.
        about: What else the card is to say.
        on_start: Called once, when everything is checked and the folder taken.
        on_event: Called with each event, in order.
        should_stop: Asked after every step.
        soft_labels: Logits (images, classes) of a teacher for the images to learn from,
            in their order: their softmax is learnt instead of the labels.
        real: More images to measure the accuracy on, such as real ones where those to
            learn from are synthetic: at most 10 000 of them, drawn by the seed.

    Raises:
        ConfigError: The images are too few, or the devices cannot share a batch, or the
            soft labels are not those of the images.
        DataError: Images or labels are not such as the network takes.
        FolderError: The folder holds something else, e.g. a training of another
            configuration.
        Interrupted: `should_stop` said so; every step so far is kept.
        Diverged: The loss became NaN or infinite.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from jinv import classifier_spec, make_classifier
        >>> from jinv.data.labelled import ArrayImages
        >>> network = make_classifier(classifier_spec("mnist_fc"))
        >>> noise = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
        >>> data = ArrayImages(noise, np.arange(12) % 10)
        >>> config = TrainConfig(epochs=1, batch_size=6, warmup_epochs=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     trained = train(network, data, data, config, Path(folder) / "run")
        >>> list(trained.achieved)
        ['test_accuracy', 'best_test_accuracy', 'best_epoch']
    """
    lessons = Supervised(
        classifier, training, test, config, None, devices, soft_labels, real
    )
    spec, folder = classifier.spec, Path(folder)
    path = folder / f"{spec.name}.safetensors"
    with Folder(
        folder, training_kind(spec.name), lessons.described, overwrite=overwrite
    ) as held:
        on_start()
        learnt = lessons.carry_out(held, heard_by(on_event, report), should_stop)
        sha256 = write_variables(path, spec, learnt.classifier.variables, storage)
        tested = {**learnt.achieved, **lessons.sets}
        facts = {**tested, "sha256": sha256, "storage": storage}
        card = training_card(spec, config, facts, about or {})
        write_json(path.with_suffix(".json"), card)
        write_student_page(folder, card)
    return Trained(replace(learnt.classifier, sha256=sha256), path, learnt.achieved)


def heard_by(
    on_event: Callable[[LessonEvent], None],
    report: Callable[[dict[str, float]], None],
) -> Callable[[LessonEvent], None]:
    """Tell both of what happens: all of it, and the rows of the log."""

    def heard(event: LessonEvent) -> None:
        if isinstance(event, Measured):
            report(event.row)
        on_event(event)

    return heard


def training_card(
    spec: ClassifierSpec,
    config: TrainConfig,
    facts: Mapping[str, Any],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Tell where weights that learnt labels come from, and what they do, as JSON.

    Args:
        spec: Specification of the network; the card, as a companion of the file, tells
            its facts.
        config: How the network was trained.
        facts: What is known of the weights; numbers are rounded to two digits.
        about: What else there is to say.
    """
    told = {n: round(x, 2) if isinstance(x, float) else x for n, x in facts.items()}
    return {
        "model": spec.name,
        **Facts.of(spec).to_json(),
        "recipe": asdict(config),
        "precision": np.dtype(activation_type(config.precision)).name,
        **about,
        **told,
        **provenance(),
    }
