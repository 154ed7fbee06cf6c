"""The search for a subnetwork: its scores are trained, its weights are not."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jinv.atomic import write_json
from jinv.checked import checked
from jinv.data.labelled import LabelledImages
from jinv.engine.events import LessonEvent
from jinv.folders import Folder
from jinv.models.classifier import Classifier
from jinv.models.facts import Facts
from jinv.models.loading import make_classifier
from jinv.models.spec import ClassifierSpec
from jinv.models.weights.checksums import sha256_of
from jinv.models.weights.hidden_networks import write_supermask
from jinv.models.weights.state_dict import StateDict, to_state_dict
from jinv.supermask.hidden import Supermask, hide
from jinv.transfer.supervised import Supervised
from jinv.transfer.train import heard_by, training_card, training_kind
from jinv.transfer.train_config import TrainConfig
from jinv.values import Natural


class Found(NamedTuple):
    """A subnetwork that was found.

    Attributes:
        classifier: Network with what the mask removes at 0.
        path: Path of the file that it was written to.
        masks: Booleans of PyTorch's shapes, by layer; none for layers kept whole.
        achieved: `test_accuracy` and `kept` (the fraction of all weights), in percent.
    """

    classifier: Classifier
    path: Path
    masks: StateDict
    achieved: dict[str, float]


@checked
def find_subnetwork(
    spec: ClassifierSpec,
    training: LabelledImages,
    test: LabelledImages,
    supermask: Supermask,
    config: TrainConfig,
    folder: Path | str,
    report: Callable[[dict[str, float]], None] = lambda _: None,
    devices: Natural = 1,
    *,
    overwrite: bool = False,
    about: Mapping[str, Any] | None = None,
    on_start: Callable[[], None] = lambda: None,
    on_event: Callable[[LessonEvent], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Found:
    """Search a random network for a subnetwork that classifies.

    Only the scores of the weights are trained; the weights themselves stay as they were
    drawn. Ramanujan et al. 2020, "What's Hidden in a Randomly Weighted Neural Network?"
    The subnetwork is written to `folder/NAME.safetensors`, which can be used wherever
    weights can, and its card to `folder/NAME.json`.

    Args:
        spec: Specification of the network.
        training: Images to learn from.
        test: Images to measure the accuracy on.
        supermask: Which random network, and how much of it is kept.
        config: How the scores are trained.
        folder: Folder of the checkpoint, the log and the result; an interrupted search
            goes on where it stopped.
        report: Called after every epoch with its measurements.
        devices: Devices that each batch is spread over; 0 for as many as share it
            evenly.
        overwrite: Whether to remove the search that the folder holds.
        about: What else the card is to say.
        on_start: Called once, when everything is checked and the folder taken.
        on_event: Called with each event, in order.
        should_stop: Asked after every step.

    Raises:
        ConfigError: The configuration is wrong.
        FolderError: The folder holds something else, e.g. another search.
        Interrupted: `should_stop` said so; every step so far is kept.
        Diverged: The loss became NaN or infinite.

    Example:
        >>> import tempfile
        >>> from jinv import classifier_spec
        >>> from jinv.data.labelled import ArrayImages
        >>> noise = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
        >>> data = ArrayImages(noise, np.arange(12) % 10)
        >>> spec, mask = classifier_spec("mnist_fc"), Supermask(keep_fraction=0.3)
        >>> config = TrainConfig(epochs=1, batch_size=6, warmup_epochs=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = find_subnetwork(spec, data, data, mask, config, Path(folder))
        >>> round(found.achieved["kept"])
        30
    """
    hidden = hide(spec, supermask)
    network = make_classifier(spec, config.seed)
    lessons = Supervised(network, training, test, config, hidden.trainable, devices)
    folder = Path(folder)
    path = folder / f"{spec.name}.safetensors"
    with Folder(
        folder, training_kind(spec.name), lessons.described, overwrite=overwrite
    ) as held:
        on_start()
        found = lessons.carry_out(held, heard_by(on_event, report), should_stop)
        masks = hidden.masks(found.trained)
        state = to_state_dict(jax.device_get(found.classifier.variables))
        others = {
            key: value
            for key, value in state.items()
            if key.removesuffix(".weight") not in hidden.frozen.shapes
        }
        write_supermask(
            path, spec.name, hidden.frozen, masks, others, Facts.of(spec).to_json()
        )
        sha256 = sha256_of(path)
        weights = sum(np.prod(shape) for shape in hidden.frozen.shapes.values())
        removed = sum(np.sum(~mask) for mask in masks.values())
        achieved = {**found.achieved, "kept": float(100 * (1 - removed / weights))}
        tested = {**achieved, **lessons.sets}
        facts = {**tested, "mask": asdict(supermask), "sha256": sha256}
        card = training_card(spec, config, facts, about or {})
        write_json(path.with_suffix(".json"), card)
    return Found(replace(found.classifier, sha256=sha256), path, masks, achieved)
