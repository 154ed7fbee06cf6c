"""Training a classifier on labelled images."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jinv.data.augment import crop_and_flip
from jinv.data.labelled import LabelledImages, batches
from jinv.engine.checkpoints import Checkpoints
from jinv.engine.parallel import make_placement
from jinv.engine.precision import Precision, activation_type
from jinv.engine.stage import Split
from jinv.errors import ConfigError, Diverged
from jinv.models.classifier import Classifier
from jinv.transfer.measure import accuracy, population_statistics


@dataclass(frozen=True)
class TrainConfig:
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

    epochs: int = 100
    batch_size: int = 128
    lr: float = 0.1
    warmup_epochs: float = 2.0
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    crops: tuple[tuple[int, int], ...] = ()
    margin: int = 4
    flip: bool = True
    precision: Precision = "auto"
    seed: int = 0


@dataclass(frozen=True)
class Parametrisation:
    """What a training changes, and the network's parameters that follow from it.

    Attributes:
        trained: The arrays that the optimiser changes, as they start.
        frozen: Arrays that stay as they are, bit for bit.
        params: (trained, frozen, key) → the network's `params`. The key is that of the
            step; None where the network is measured.
        described: All that they depend on, as JSON: what tells one training from
            another.
    """

    trained: Any
    frozen: Any
    params: Callable[[Any, Any, jax.Array | None], Any]
    described: dict[str, Any] = field(default_factory=dict)


class Trained(NamedTuple):
    """What comes out of a training.

    Attributes:
        classifier: The network with its new weights and statistics.
        trained: What the optimiser made of `Parametrisation.trained`.
        measured: Measurements by name: `test_accuracy`, in percent.
    """

    classifier: Classifier
    trained: Any
    measured: dict[str, float]


def train(
    classifier: Classifier,
    training: LabelledImages,
    test: LabelledImages,
    config: TrainConfig,
    folder: Path,
    report: Callable[[dict[str, float]], None] = lambda _: None,
    parametrisation: Parametrisation | None = None,
    devices: int = 1,
) -> Trained:
    """Train a classifier.

    After every epoch the state is saved under `folder`, where a later call with the
    same configuration resumes. When training ends, the running statistics are replaced
    by the population's (see `population_statistics`): an exponential average of the
    last few augmented batches is what BatchNorm leaves behind, and inversion would
    reproduce its noise.

    Args:
        classifier: Architecture and initial weights; `config` decides its precision.
        training: Images to learn from.
        test: Images to measure the accuracy on.
        config: How to train.
        folder: Where the checkpoint and `metrics.jsonl` are written.
        report: Called after every epoch with its measurements.
        parametrisation: What is trained, where it is not the parameters themselves.
        devices: Over how many each batch is spread; 0 for all. It changes nothing but
            the order of sums: BatchNorm sees the whole batch.

    Raises:
        ConfigError: The folder holds a run of another configuration, or the devices
            cannot share a batch.
        Diverged: The loss became NaN or infinite.
    """
    dtype = activation_type(config.precision)
    classifier = replace(classifier, module=classifier.spec.make_module(dtype=dtype))
    steps = len(training) // config.batch_size
    if steps == 0:
        raise ConfigError(
            f"batch_size {config.batch_size} exceeds the {len(training)} images"
        )
    placement = make_placement("jit", devices, config.batch_size, "global")
    if parametrisation is None:
        parametrisation = Parametrisation(
            classifier.variables["params"], {}, lambda trained, frozen, key: trained
        )
    optimizer = _optimizer(config, steps)
    # Steps give their state up, and the caller's arrays are not ours to give.
    trained = jax.tree.map(jnp.array, parametrisation.trained)
    state = {
        "trained": trained,
        "batch_stats": jax.tree.map(
            jnp.array, classifier.variables.get("batch_stats", {})
        ),
        "optimizer": optimizer.init(trained),
    }
    checkpoints = Checkpoints(folder / "checkpoint")
    labels = np.asarray(training.labels, np.int32)
    described = {
        "model": classifier.spec.name,
        "images": len(training),
        "labels": hashlib.sha256(labels.tobytes()).hexdigest(),
        **asdict(config),
        "precision": np.dtype(dtype).name,
        **parametrisation.described,
    }
    described = json.loads(json.dumps(described))
    notes = checkpoints.notes()
    first = 0
    if notes is not None:
        _compare(folder, notes["config"], described)
        state, first = checkpoints.restore(state), notes["epoch"]
    state = placement.put(state)
    frozen = placement.put(jax.tree.map(jnp.asarray, parametrisation.frozen))
    update = jax.jit(
        partial(_update, classifier, optimizer, config, parametrisation.params),
        donate_argnums=(0,),
    )

    @jax.jit
    def variables_of(state, frozen):
        params = parametrisation.params(state["trained"], frozen, None)
        statistics = state["batch_stats"]
        return {"params": params, **({"batch_stats": statistics} if statistics else {})}

    for epoch in range(first, config.epochs):
        start = time.monotonic()
        losses = []
        for index, batch in enumerate(_epoch(training, config, epoch)):
            step = np.int32(epoch * steps + index)
            batch = placement.put(Split(batch, ()))
            state, loss = update(state, frozen, step, batch.own)
            losses.append(loss)
        loss = float(np.mean(jax.device_get(losses)))
        if not np.isfinite(loss):
            checkpoints.close()
            raise Diverged(
                f"the loss became {loss} in epoch {epoch + 1}: take a lower lr than "
                f"{config.lr}, and another folder than {folder}"
            )
        row = {
            "epoch": epoch + 1,
            "loss": loss,
            "seconds": time.monotonic() - start,
            "test_accuracy": accuracy(classifier, variables_of(state, frozen), test),
        }
        checkpoints.save(epoch + 1, state, {"config": described, "epoch": epoch + 1})
        with (folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        report(row)
    checkpoints.close()
    variables = variables_of(state, frozen)
    variables |= population_statistics(classifier, variables, training)
    measured = {"test_accuracy": accuracy(classifier, variables, test)}
    variables = jax.tree.map(jnp.asarray, placement.get(variables))
    return Trained(
        replace(classifier, variables=variables, sha256=""),
        placement.get(state["trained"]),
        measured,
    )


def _compare(folder: Path, there: dict[str, Any], asked: dict[str, Any]) -> None:
    names = {**there, **asked}
    changed = [name for name in names if there.get(name) != asked.get(name)]
    if changed:
        raise ConfigError(
            f"{folder} holds a training of another configuration, which differs in "
            f"{', '.join(changed)}: choose another folder"
        )


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
    inputs = classifier.normalise(images.astype(jnp.float32) / 255)
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
    source = batches(data, order, config.batch_size, drop_last=True)

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
