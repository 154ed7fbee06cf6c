"""Training a classifier on labelled images: what it learns, and in which steps."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jinv.data.labelled import LabelledImages, SomeImages
from jinv.engine.events import LessonEvent
from jinv.engine.fit import Course, fit
from jinv.engine.lesson import Lesson
from jinv.engine.optimizers import make_schedule
from jinv.engine.placement import make_placement
from jinv.engine.precision import activation_type
from jinv.errors import ConfigError
from jinv.folders import Folder
from jinv.metrics_log import metrics_log
from jinv.models.classifier import Classifier
from jinv.models.wrapping import check_training
from jinv.transfer.accuracy import accuracy, best_accuracy, tests_on
from jinv.transfer.descent import decayed_sgd
from jinv.transfer.description import description, set_name
from jinv.transfer.examples import (
    Examples,
    check_examples,
    check_soft_labels,
    shuffled,
    training_view,
)
from jinv.transfer.population import population_statistics
from jinv.transfer.train_config import TrainConfig
from jinv.transfer.trainable import Trainable, beside, joined

_MOST_REAL = 10_000
"""Real images that are measured after every epoch: more would tell little more."""


class LearntLabels(NamedTuple):
    """What labels have taught.

    Attributes:
        classifier: Network with its new weights and statistics.
        trained: What the optimiser made of `Trainable.trained`.
        achieved: Numbers by name; see `Trained`.
    """

    classifier: Classifier
    trained: Any
    achieved: dict[str, float]


class Supervised:
    """A classifier that learns labels; where it cannot, nothing has begun yet.

    When training ends, the running statistics are replaced by the population's (see
    `population_statistics`): an exponential average of the last few augmented batches
    is what BatchNorm leaves behind, and inversion would reproduce its noise.
    """

    def __init__(
        self,
        classifier: Classifier,
        training: LabelledImages,
        test: LabelledImages,
        config: TrainConfig,
        trainable: Trainable | None = None,
        devices: int = 1,
        soft_labels: np.ndarray | None = None,
        real: LabelledImages | None = None,
    ):
        """Check what is to be learnt.

        Args:
            classifier: Network with its initial weights; `config` decides its
                precision.
            training: Images to learn from.
            test: Images to measure the accuracy on.
            config: How to train.
            trainable: What is trained, where it is not the parameters themselves.
            devices: Devices that each batch is spread over; 0 for as many as share it
                evenly.
            soft_labels: Logits (images, classes) of a teacher for the images.
            real: More images to measure the accuracy on.

        Raises:
            ConfigError: The images are too few, or the devices cannot share a batch, or
                the soft labels are not those of the images.
            DataError: Images or labels are not such as the network takes.
        """
        self._dtype = activation_type(config.precision)
        self.classifier = classifier = classifier.with_activations(self._dtype)
        self.training, self.config = training, config
        named = {"training": training, "test": test, "real": real}
        for role, data in named.items():
            if data is not None:
                labelled = role != "training" or soft_labels is None
                check_examples(role, data, classifier.spec, labelled)
        self.soft_labels = soft_labels
        self.steps = len(training) // config.batch_size
        """Steps of an epoch."""
        if self.steps == 0:
            raise ConfigError(
                f"batch_size {config.batch_size} exceeds the {len(training)} images"
            )
        _check_crops(classifier, config)
        if soft_labels is not None:
            classes = len(classifier.spec.classes)
            check_soft_labels(soft_labels, len(training), classes)
        check_training(classifier)
        self._placement = make_placement("jit", devices, config.batch_size)
        self._sets = {"test": test}
        if real is not None:
            self._sets["real"] = SomeImages(real, _MOST_REAL, config.seed)
        self.sets = {f"{role}_set": set_name(data) for role, data in self._sets.items()}
        """Names of the images that the accuracy is measured on, in the log."""
        self._trainable = trainable or Trainable(
            classifier.variables["params"], {}, lambda trained, frozen, key: trained
        )

    @property
    def described(self) -> dict[str, Any]:
        """All that the outcome depends on, as JSON."""
        found = description(
            self.classifier, self.training, self.config, self._dtype, self.soft_labels
        )
        return found | self._trainable.described

    def carry_out(
        self,
        folder: Folder,
        on_event: Callable[[LessonEvent], None],
        should_stop: Callable[[], bool],
    ) -> LearntLabels:
        """Train, or go on with it; see `fit` for the arguments and what is raised."""
        classifier, config, placement = self.classifier, self.config, self._placement
        others = beside(classifier.variables)
        frozen = jax.tree.map(jnp.asarray, (self._trainable.frozen, others))
        frozen = placement.put(frozen)
        as_learnt = jax.jit(self._network)

        def measure(_: int, trained: Any, statistics: Any) -> dict[str, Any]:
            found = self._accuracies(as_learnt(trained, frozen, statistics))
            return {**found, **self.sets}

        lesson = Lesson(
            self._trainable.trained,
            partial(_objective, classifier, config, self._network),
            _optimizer(config, self.steps),
            frozen,
            classifier.variables.get("batch_stats", {}),
            config.seed,
            f"take a lower lr than {config.lr}",
        )
        learnt = fit(
            lesson,
            Course(config.epochs, self.steps, self._batches, measure),
            placement,
            folder,
            on_event=on_event,
            should_stop=should_stop,
        )
        variables = as_learnt(learnt.trained, frozen, learnt.state)
        variables |= population_statistics(classifier, variables, self.training)
        achieved = self._accuracies(variables)
        rows = tests_on(metrics_log(folder.path).rows(), self.sets["test_set"])
        achieved |= best_accuracy(rows, config.epochs, achieved["test_accuracy"])
        variables = jax.tree.map(jnp.asarray, placement.get(variables))
        return LearntLabels(
            classifier.with_weights(variables), placement.get(learnt.trained), achieved
        )

    def _network(self, trained, frozen, statistics, key=None) -> dict[str, Any]:
        """Variables of the network, of what is trained and what is not."""
        params = self._trainable.params(trained, frozen[0], key)
        return joined(params, statistics, frozen[1])

    def _accuracies(self, variables: Any) -> dict[str, float]:
        return {
            f"{name}_accuracy": accuracy(self.classifier, variables, data)
            for name, data in self._sets.items()
        }

    def _batches(self, epoch: int, first: int) -> Iterator[Examples]:
        config = self.config
        return shuffled(
            self.training,
            config.batch_size,
            config.seed,
            config.crop(epoch),
            epoch,
            first,
            self.soft_labels,
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
    total, warmup = config.epochs * steps, config.warmup(steps)
    schedule = make_schedule("cosine", config.lr, total, warmup)
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
