"""Training a classifier on labelled images."""

import glob
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jinv.atomic import JsonLines
from jinv.checked import checked
from jinv.data.labelled import LabelledImages, SomeImages
from jinv.engine.events import LessonEvent, Measured
from jinv.engine.fit import Course, fit
from jinv.engine.lesson import Lesson
from jinv.engine.placement import make_placement
from jinv.engine.precision import activation_type
from jinv.errors import ConfigError
from jinv.folders import Kind
from jinv.models.classifier import Classifier
from jinv.models.wrapping import check_training
from jinv.transfer.accuracy import accuracy, best_accuracy
from jinv.transfer.descent import decayed_sgd
from jinv.transfer.description import description
from jinv.transfer.examples import Examples, check_soft_labels, shuffled, training_view
from jinv.transfer.population import population_statistics
from jinv.transfer.train_config import TrainConfig
from jinv.transfer.trainable import Trainable, beside, joined
from jinv.values import Natural

_MOST_REAL = 10_000
"""Real images that are measured after every epoch: more would tell little more."""


def training_kind(model: str) -> Kind:
    """Tell what training a model leaves in a folder."""
    name = glob.escape(model)
    owned = ("checkpoint", "metrics.jsonl", "index.html", "curves.png")
    return Kind(
        "training",
        "training",
        owned=(*owned, f"{name}.safetensors", f"{name}.json"),
    )


class Trained(NamedTuple):
    """What comes out of a training.

    Attributes:
        classifier: Network with its new weights and statistics.
        trained: What the optimiser made of `Trainable.trained`.
        achieved: Numbers by name: `test_accuracy` of this network and
            `best_test_accuracy` after any epoch, in percent; `best_epoch`, when that
            was; and, where real images were given, `real_accuracy`.
    """

    classifier: Classifier
    trained: Any
    achieved: dict[str, float]


@checked
def train(
    classifier: Classifier,
    training: LabelledImages,
    test: LabelledImages,
    config: TrainConfig,
    folder: Path,
    report: Callable[[dict[str, float]], None] = lambda _: None,
    trainable: Trainable | None = None,
    devices: Natural = 1,
    *,
    overwrite: bool = False,
    on_start: Callable[[], None] = lambda: None,
    on_event: Callable[[LessonEvent], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
    soft_labels: np.ndarray | None = None,
    real: LabelledImages | None = None,
) -> Trained:
    """Train a classifier on labelled images.

    What is learnt is kept under `folder`, where a later call with the same
    configuration goes on; see `fit`. When training ends, the running statistics are
    replaced by the population's (see `population_statistics`): an exponential average
    of the last few augmented batches is what BatchNorm leaves behind, and inversion
    would reproduce its noise.

    Args:
        classifier: Network with its initial weights; `config` decides its precision.
        training: Images to learn from.
        test: Images to measure the accuracy on.
        config: How to train.
        folder: Where the checkpoint and `metrics.jsonl` are written.
        report: Called after every epoch with its row of the log.
        trainable: What is trained, where it is not the parameters themselves.
        devices: Devices that each batch is spread over; 0 for as many as share it
            evenly. They change nothing but the order of sums: BatchNorm sees the whole
            batch.
        overwrite: Whether to remove the training that the folder holds.
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
    dtype = activation_type(config.precision)
    classifier = replace(classifier, module=classifier.spec.make_module(dtype=dtype))
    steps = len(training) // config.batch_size
    if steps == 0:
        raise ConfigError(
            f"batch_size {config.batch_size} exceeds the {len(training)} images"
        )
    _check_crops(classifier, config)
    if soft_labels is not None:
        check_soft_labels(soft_labels, len(training), len(classifier.spec.classes))
    check_training(classifier)
    placement = make_placement("jit", devices, config.batch_size)
    if trainable is None:
        trainable = Trainable(
            classifier.variables["params"], {}, lambda trained, frozen, key: trained
        )
    others = beside(classifier.variables)
    frozen = placement.put(jax.tree.map(jnp.asarray, (trainable.frozen, others)))

    def network(trained, frozen, statistics, key=None):
        params = trainable.params(trained, frozen[0], key)
        return joined(params, statistics, frozen[1])

    as_learnt = jax.jit(network)
    sets = {"test": test}
    if real is not None:
        sets["real"] = SomeImages(real, _MOST_REAL, config.seed)

    def accuracies(variables) -> dict[str, float]:
        return {
            f"{name}_accuracy": accuracy(classifier, variables, data)
            for name, data in sets.items()
        }

    def measure(_: int, trained: Any, statistics: Any) -> dict[str, float]:
        return accuracies(as_learnt(trained, frozen, statistics))

    def batches(epoch: int, first: int) -> Iterator[Examples]:
        size, seed, seen = config.batch_size, config.seed, config.crop(epoch)
        return shuffled(training, size, seed, seen, epoch, first, soft_labels)

    def heard(event: LessonEvent) -> None:
        if isinstance(event, Measured):
            report(event.row)
        on_event(event)

    lesson = Lesson(
        trainable.trained,
        partial(_objective, classifier, config, network),
        _optimizer(config, steps),
        frozen,
        classifier.variables.get("batch_stats", {}),
        config.seed,
        f"take a lower lr than {config.lr}",
    )
    learnt = fit(
        lesson,
        Course(config.epochs, steps, batches, measure),
        placement,
        folder,
        training_kind(classifier.spec.name),
        description(classifier, training, config, dtype, soft_labels)
        | trainable.described,
        overwrite=overwrite,
        on_start=on_start,
        on_event=heard,
        should_stop=should_stop,
    )
    variables = as_learnt(learnt.trained, frozen, learnt.state)
    variables |= population_statistics(classifier, variables, training)
    achieved = accuracies(variables)
    rows = JsonLines(folder / "metrics.jsonl").rows()
    achieved |= best_accuracy(rows, config.epochs, achieved["test_accuracy"])
    variables = jax.tree.map(jnp.asarray, placement.get(variables))
    return Trained(
        classifier.with_weights(variables),
        placement.get(learnt.trained),
        achieved,
    )


def _check_crops(classifier: Classifier, config: TrainConfig) -> None:
    own = classifier.spec.input_size
    for size, _ in config.crops:
        if size > own or not classifier.takes(size):
            raise ConfigError(
                f"crops: {classifier.spec.name} takes no crops of {size} pixels out of "
                f"images of {own}"
            )


def _optimizer(config: TrainConfig, steps: int) -> optax.GradientTransformation:
    warmup = round(config.warmup_epochs * steps)
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, config.lr, warmup, max(config.epochs * steps, warmup + 1)
    )
    return decayed_sgd(schedule, config.momentum, config.nesterov, config.weight_decay)


def _objective(
    classifier: Classifier,
    config: TrainConfig,
    network: Callable[..., Any],
    trained: Any,
    frozen: Any,
    statistics: Any,
    batch: Examples,
    key: jax.Array,
) -> tuple[jax.Array, tuple[Any, dict[str, jax.Array]]]:
    """The cross-entropy of the labels, the mean over the batch; and the accuracy."""
    view_key, network_key, dropout_key = jax.random.split(key, 3)
    inputs = classifier.normalise(batch.images)
    size = inputs.shape[1]
    view = training_view(size, batch.seen, config.margin, config.flip)
    logits, statistics = classifier.training(
        network(trained, frozen, statistics, network_key),
        view(view_key, batch.index, inputs),
        dropout_key,
    )
    if batch.soft_labels is None:
        targets = jax.nn.one_hot(batch.labels, logits.shape[-1])
    else:
        targets = jax.nn.softmax(batch.soft_labels.astype(logits.dtype))
    targets = optax.smooth_labels(targets, config.label_smoothing)
    loss = optax.softmax_cross_entropy(logits, targets).mean()
    right = jnp.mean(jnp.argmax(logits, -1) == batch.labels)
    return loss, (statistics, {"accuracy": 100 * right})
