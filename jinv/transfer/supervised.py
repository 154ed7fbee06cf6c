"""Training a classifier on labelled images."""

import glob
import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jinv.atomic import JsonLines
from jinv.checked import Checked, checked
from jinv.data.augment import crop_and_flip
from jinv.data.labelled import LabelledImages, minibatches
from jinv.engine.checkpoints import Checkpoints
from jinv.engine.phase import Split
from jinv.engine.placement import make_placement
from jinv.engine.precision import Precision, activation_type
from jinv.errors import ConfigError, Diverged, Interrupted
from jinv.folders import Folder, Kind
from jinv.models.classifier import Classifier
from jinv.models.zoo import beyond_zoo
from jinv.transfer.accuracy import accuracy
from jinv.transfer.population import population_statistics
from jinv.values import Count, Natural, NotNegative, Positive, Seed, ShareBelow1


@dataclass(frozen=True)
class TrainConfig(Checked):
    """How a classifier is trained: by stochastic gradient descent.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images in a step.
        lr: Highest learning rate; reached by a linear warm-up, left by a cosine.
        warmup_epochs: Epochs of warm-up.
        momentum: Share of the last update that goes into the next.
        nesterov: Look ahead by the momentum (Sutskever et al. 2013).
        weight_decay: Added to the gradients of kernels (not of BatchNorm or biases).
        label_smoothing: Probability spread evenly over all classes.
        crops: Pairs (size in pixels, epochs): small random crops early make an epoch
            cheap. Epochs beyond the listed ones use the full size.
        flip: Mirror half of the images; digits must not be.
        margin: Reflected pixels around an image before a full-size crop.
        precision: Type of the activations; "auto": bfloat16 on accelerators.
        seed: Of the initialisation, the order and the augmentation.
    """

    epochs: Count = 100
    batch_size: Count = 128
    lr: Positive = 0.1
    warmup_epochs: NotNegative = 2.0
    momentum: ShareBelow1 = 0.9
    nesterov: bool = True
    weight_decay: NotNegative = 5e-4
    label_smoothing: ShareBelow1 = 0.0
    crops: tuple[tuple[Count, Count], ...] = ()
    margin: Natural = 4
    flip: bool = True
    precision: Precision = "auto"
    seed: Seed = 0


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Trainable:
    """What a training changes, and the network's parameters that follow from it.

    Attributes:
        trained: The arrays that the optimiser changes, as they start.
        frozen: Arrays that stay as they are, bit for bit.
        params: (trained, frozen, key) → the network's `params`. The key is that of the
            step; None where its accuracy is.
        described: All that they depend on, as JSON: what tells one training from
            another.
    """

    trained: Any
    frozen: Any
    params: Callable[[Any, Any, jax.Array | None], Any]
    described: dict[str, Any] = field(default_factory=dict)


def training_kind(model: str) -> Kind:
    """What training a model leaves in a folder."""
    name = glob.escape(model)
    return Kind(
        "training",
        "training",
        owned=("checkpoint", "metrics.jsonl", f"{name}.safetensors", f"{name}.json"),
    )


class Trained(NamedTuple):
    """What comes out of a training.

    Attributes:
        classifier: The network with its new weights and statistics.
        trained: What the optimiser made of `Trainable.trained`.
        achieved: By name: `test_accuracy`, in percent.
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
    should_stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train a classifier.

    After every epoch the state is saved under `folder`, where a later call with the
    same configuration goes on. When training ends, the running statistics are replaced
    by the population's (see `population_statistics`): an exponential average of the
    last few augmented batches is what BatchNorm leaves behind, and inversion would
    reproduce its noise.

    Args:
        classifier: Architecture and initial weights; `config` decides its precision.
        training: Images to learn from.
        test: Images to measure the accuracy on.
        config: How to train.
        folder: Where the checkpoint and `metrics.jsonl` are written.
        report: Called after every epoch with its row of the log.
        trainable: What is trained, where it is not the parameters themselves.
        devices: Over how many each batch is spread; 0 for as many as share it evenly.
            It changes nothing but the order of sums: BatchNorm sees the whole batch.
        overwrite: Remove the training that the folder holds.
        on_start: Called once, when everything is checked and the folder taken.
        should_stop: Asked after every step.

    Raises:
        ConfigError: The devices cannot share a batch.
        FolderError: The folder holds something else, e.g. a training of another
            configuration.
        Interrupted: `should_stop` said so; the epochs before this one are kept.
        Diverged: The loss became NaN or infinite.
    """
    dtype = activation_type(config.precision)
    classifier = replace(classifier, module=classifier.spec.make_module(dtype=dtype))
    steps = len(training) // config.batch_size
    if steps == 0:
        raise ConfigError(
            f"batch_size {config.batch_size} exceeds the {len(training)} images"
        )
    _check_crops(classifier, config)
    placement = make_placement("jit", devices, config.batch_size)
    if trainable is None:
        trainable = Trainable(
            classifier.variables["params"], {}, lambda trained, frozen, key: trained
        )
    optimizer = _optimizer(config, steps)
    # Steps give their state up, and the caller's arrays are not ours to give.
    trained = jax.tree.map(jnp.array, trainable.trained)
    state = {
        "trained": trained,
        "batch_stats": jax.tree.map(
            jnp.array, classifier.variables.get("batch_stats", {})
        ),
        "optimizer": optimizer.init(trained),
    }
    described = {
        "model": classifier.spec.name,
        **beyond_zoo(classifier.spec).to_json(),
        "initial_weights": classifier.sha256,
        "images": len(training),
        "labels": _fingerprint(training.labels.astype(np.int32)),
        "first_image": _fingerprint(training.read(np.arange(1))[0]),
        **asdict(config),
        "precision": np.dtype(dtype).name,
        **trainable.described,
    }
    frozen = placement.put(jax.tree.map(jnp.asarray, trainable.frozen))
    update = jax.jit(
        partial(_update, classifier, optimizer, config, trainable.params),
        donate_argnums=(0,),
    )

    @jax.jit
    def variables_of(state, frozen):
        params = trainable.params(state["trained"], frozen, None)
        statistics = state["batch_stats"]
        return {"params": params, **({"batch_stats": statistics} if statistics else {})}

    def epoch_of(number, state):
        """One epoch; its losses, and the state after it."""
        losses = []
        for index, batch in enumerate(_epoch(training, config, number)):
            step = np.int32(number * steps + index)
            state, loss = update(state, frozen, step, placement.put(Split(batch)).own)
            losses.append(loss)
            if should_stop():
                raise Interrupted(
                    f"stopped in epoch {number + 1} of {config.epochs}; the epochs "
                    "before it are kept"
                )
        return float(np.mean(jax.device_get(losses))), state

    kind = training_kind(classifier.spec.name)
    with (
        Folder(folder, kind, described, overwrite=overwrite),
        closing(Checkpoints(folder / "checkpoint", ["epoch"])) as checkpoints,
    ):
        on_start()
        log = JsonLines(folder / "metrics.jsonl")
        notes = checkpoints.notes()
        done = int(notes["epoch"]) if notes else 0
        log.keep(lambda row: row.get("epoch", done + 1) <= done)
        state = placement.put(checkpoints.restore(state) if notes else state)
        for epoch in range(done, config.epochs):
            start = time.monotonic()
            loss, state = epoch_of(epoch, state)
            if not np.isfinite(loss):
                raise Diverged(
                    f"the loss became {loss} in epoch {epoch + 1}: take a lower lr "
                    f"than {config.lr}, with --overwrite or another folder"
                )
            seconds = time.monotonic() - start
            share = accuracy(classifier, variables_of(state, frozen), test)
            row = {"epoch": epoch + 1, "loss": loss, "seconds": seconds}
            row["test_accuracy"] = share
            # In this order: of the log, what is too much can be told.
            log.append(row)
            checkpoints.save(epoch + 1, state, {"epoch": epoch + 1})
            report(row)
    variables = variables_of(state, frozen)
    variables |= population_statistics(classifier, variables, training)
    achieved = {"test_accuracy": accuracy(classifier, variables, test)}
    variables = jax.tree.map(jnp.asarray, placement.get(variables))
    return Trained(
        replace(classifier, variables=variables, sha256=""),
        placement.get(state["trained"]),
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


def _fingerprint(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def _optimizer(config: TrainConfig, steps: int) -> optax.GradientTransformation:
    warmup = round(config.warmup_epochs * steps)
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, config.lr, warmup, max(config.epochs * steps, warmup + 1)
    )
    decayed = partial(
        jax.tree_util.tree_map_with_path, lambda path, _: path[-1].key == "kernel"
    )
    return optax.chain(
        optax.add_decayed_weights(config.weight_decay, mask=decayed),
        optax.sgd(schedule, config.momentum, config.nesterov),
    )


def _update(classifier, optimizer, config, params_of, state, frozen, step, batch):
    images, labels = batch
    inputs = classifier.normalise(images)
    key = jax.random.fold_in(jax.random.key(config.seed), step)

    def loss_of(trained):
        params = params_of(trained, frozen, key)
        logits, new = classifier.module.apply(
            {"params": params, "batch_stats": state["batch_stats"]},
            inputs,
            True,
            mutable=["batch_stats"],
        )
        targets = optax.smooth_labels(
            jax.nn.one_hot(labels, logits.shape[-1]), config.label_smoothing
        )
        logits = logits.astype(jnp.float32)
        return optax.softmax_cross_entropy(logits, targets).mean(), new

    trained = state["trained"]
    (loss, new), gradients = jax.value_and_grad(loss_of, has_aux=True)(trained)
    updates, moved = optimizer.update(gradients, state["optimizer"], trained)
    state = {
        "trained": optax.apply_updates(trained, updates),
        "batch_stats": new.get("batch_stats", {}),
        "optimizer": moved,
    }
    return state, loss


def _epoch(
    data: LabelledImages, config: TrainConfig, epoch: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """One epoch's augmented batches, each made while the one before is used."""
    rng = np.random.default_rng((config.seed, epoch))
    order = rng.permutation(len(data))
    size = _crop_size(config, epoch)
    source = minibatches(data, order, config.batch_size, drop_last=True)

    def following():
        batch = next(source, None)
        if batch is None:
            return None
        images, labels = batch
        full = images.shape[1]
        margin = config.margin if size in (None, full) else 0
        return crop_and_flip(images, size or full, margin, rng, config.flip), labels

    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(following)
        while (batch := pending.result()) is not None:
            pending = pool.submit(following)
            yield batch


def _crop_size(config: TrainConfig, epoch: int) -> int | None:
    for size, epochs in config.crops:
        if epoch < epochs:
            return size
        epoch -= epochs
    return None
