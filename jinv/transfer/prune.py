"""Pruning as one call: the filters of the least L1 norm are cut out of a network."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from flax.traverse_util import flatten_dict

from jinv.atomic import write_json
from jinv.checked import checked
from jinv.data.labelled import LabelledImages
from jinv.errors import ConfigError
from jinv.models.channels import Channels, Group, channels_of
from jinv.models.classifier import Classifier
from jinv.models.costs import Costs, costs_of
from jinv.models.facts import Facts
from jinv.models.narrowing import check_narrowing, narrow
from jinv.models.weights.writing import write_variables
from jinv.suggest import near
from jinv.transfer.description import described_images
from jinv.transfer.examples import check_examples
from jinv.transfer.population import population_statistics
from jinv.transfer.prunings import Pruning, Where, find_pruning, first_convolutions
from jinv.values import Count, Range, ShareBelow1

Ratio = Annotated[float, Range(over=0, below=1)]


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Pruned:
    """A network that was cut smaller.

    Attributes:
        classifier: The small network, whose specification says what is `narrowed`.
        original: The network that was cut.
        pruning: What was cut.
        kept: Numbers that the channels of a layer had, by layer, where some are cut.
        before: Costs of the original.
        after: Costs of the small network.
        data: The set from which images were drawn to measure the statistics anew, as
            JSON, if they were; see `population_statistics`.
    """

    classifier: Classifier
    original: Classifier
    pruning: Pruning
    kept: dict[str, np.ndarray]
    before: Costs
    after: Costs
    data: dict[str, Any] | None = None

    def measured_anew(self, data: LabelledImages) -> "Pruned":
        """Measure the BatchNorm statistics of the small network on images.

        What a layer sees has changed with what was cut before it. No gradient is
        needed, nor labels; the images may be synthetic ones.

        Args:
            data: Images of the network's own size; see `population_statistics`.

        Raises:
            DataError: They are of another size.
        """
        check_examples("data", data, self.classifier.spec, labelled=False)
        small, told = self.classifier, described_images(data)
        statistics = population_statistics(small, small.variables, data)
        return replace(
            self,
            classifier=replace(small, variables={**small.variables, **statistics}),
            data={name: value for name, value in told.items() if name != "labels"},
        )

    def card(self) -> dict[str, Any]:
        """Tell where the small network comes from, as JSON."""
        spec, pruning = self.classifier.spec, self.pruning
        return {
            "model": spec.name,
            **Facts.of(spec).to_json(),
            "pruned": {
                "sha256": self.original.checksum,
                "ratio": pruning.ratio,
                "where": pruning.where,
                "skip": pruning.skip,
                # What was cut before there were multiples is told as before.
                **({} if pruning.multiple == 1 else {"multiple": pruning.multiple}),
                "source": pruning.source,
                "kept": {name: each.tolist() for name, each in self.kept.items()},
            },
            "parameters": [self.before.parameters, self.after.parameters],
            "multiply_adds": [self.before.multiply_adds, self.after.multiply_adds],
            "statistics": self.data,
        }

    def save(self, folder: Path | str, about: Mapping[str, Any] | None = None) -> Path:
        """Write MODEL.safetensors, and MODEL.json, its card, to a folder.

        The file says what it is: it is given wherever weights of the model are.

        Args:
            folder: Folder that is made if missing.
            about: What else the card is to say.

        Returns:
            Path of the file of weights.
        """
        spec, folder = self.classifier.spec, Path(folder).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{spec.name}.safetensors"
        sha256 = write_variables(path, spec, self.classifier.variables)
        card = {**self.card(), **(about or {}), "sha256": sha256}
        write_json(path.with_suffix(".json"), card)
        return path


@checked
def prune(
    classifier: Classifier,
    ratio: Ratio | Sequence[ShareBelow1] | None = None,
    *,
    preset: str | None = None,
    where: Where | None = None,
    skip: Sequence[str] | None = None,
    multiple: Count | None = None,
    data: LabelledImages | None = None,
) -> Pruned:
    """Cut filters out of a network, which becomes really smaller.

    Of each group of channels, those that the same layers write, the share `ratio` with
    the least L1 norm is cut: out of the layers that write them, the BatchNorm layers
    behind, and the inputs of the layers that read them (Li et al. 2017). Of a trunk, to
    which several layers write, the norms of all their filters are added up, and so are
    those of depthwise convolutions that a channel passes through.

    Args:
        classifier: Network to cut; it stays as it is.
        ratio: Share of the channels that is cut, over 0 and below 1: one everywhere, or
            one for each stage, of which 0 leaves a stage as it is. Layers behind the
            last stage have the last.
        preset: Name from `PRUNINGS`, of which the other arguments say what differs.
        where: "inside" blocks, as published: channels that one layer writes and one
            reads; on the "trunk": all others; or "both".
        skip: Patterns of the names of layers that keep their channels.
        multiple: Number of which the channels that a group keeps are to be a multiple:
            some more are kept. Many devices compute 8 or 16 channels as fast as 5 or 9.
        data: Images on which BatchNorm statistics are measured anew; their labels do
            not count.

    Returns:
        The small network, with what was kept and what both cost.

    Raises:
        ConfigError: A ratio cannot be, or leaves a layer without filters; or nothing
            can be cut.
        DataError: The images are of another size.

    Example:
        >>> from jinv import load_classifier
        >>> pruned = prune(load_classifier("cifar10_resnet20"), 0.5)
        >>> pruned.before.parameters, pruned.after.parameters
        (269722, 135754)
        >>> pruned.classifier.spec.narrowed["layer1.0.conv1"]
        8
    """
    pruning = _chosen(ratio, preset, where, skip, multiple)
    check_narrowing(classifier)
    channels, kernels = channels_of(classifier), kernels_of(classifier)
    _check(classifier, channels.groups, pruning)
    norms = filter_norms(kernels, channels)
    kept = {group: _strongest(norms, group, pruning) for group in channels.groups}
    if all(len(rows) == len(group.channels) for group, rows in kept.items()):
        raise ConfigError(
            f"nothing of {classifier.spec.name} is cut where={pruning.where!r}, with "
            f"ratio {', '.join(map(str, pruning.ratio))}, {len(pruning.skip)} layer(s) "
            f"to skip and multiples of {pruning.multiple}: choose otherwise"
        )
    small, numbers = narrow(classifier, channels, kept)
    pruned = Pruned(
        small, classifier, pruning, numbers, costs_of(classifier), costs_of(small)
    )
    return pruned if data is None else pruned.measured_anew(data)


def kernels_of(classifier: Classifier) -> dict[str, np.ndarray]:
    """The kernels of a network's convolutions and dense layers, by layer."""
    flat: dict[tuple, Any] = dict(flatten_dict(classifier.variables["params"]))
    return {
        ".".join(path[:-1]): np.asarray(value)
        for path, value in flat.items()
        if path[-1] == "kernel"
    }


def filter_norms(
    kernels: Mapping[str, np.ndarray], channels: Channels
) -> dict[str, np.ndarray]:
    """The L1 norms of all filters.

    Those of depthwise convolutions, which read a channel and put it out again, are
    added to those of the layer whose channel it is.

    Args:
        kernels: Kernels by layer; the last axis counts the filters.
        channels: Channels of the network.

    Returns:
        Norms (filters,), by layer.
    """
    norms = {
        layer: np.abs(kernel.astype(np.float64)).reshape(-1, kernel.shape[-1]).sum(0)
        for layer, kernel in kernels.items()
    }
    for carrier in channels.carriers:
        for number, source in enumerate(channels.sources.get(carrier, ())):
            if source is not None:
                layer, written = source
                norms[layer][written] += norms[carrier][number]
    return norms


def _chosen(
    ratio: float | Sequence[float] | None,
    preset: str | None,
    where: Where | None,
    skip: Sequence[str] | None,
    multiple: int | None,
) -> Pruning:
    """The settings of a preset, and what differs from them."""
    given: dict[str, Any] = {}
    if ratio is not None:
        given["ratio"] = tuple(ratio) if isinstance(ratio, Sequence) else (ratio,)
    if where is not None:
        given["where"] = where
    if skip is not None:
        given["skip"] = tuple(skip)
    if multiple is not None:
        given["multiple"] = multiple
    if preset is not None:
        return replace(find_pruning(preset), **given)
    if not given.get("ratio"):
        raise ConfigError(
            "ratio: expected the share of channels that is cut, e.g. 0.5, or one for "
            "each stage; or a preset"
        )
    return Pruning(**given)


def _check(classifier: Classifier, groups: Sequence[Group], pruning: Pruning) -> None:
    """Refuse settings that do not fit the network."""
    name, stages = classifier.spec.name, len(classifier.stages)
    inside = {layer for group in groups if group.inside for layer in group.layers}
    if pruning.blocks and inside != set(first_convolutions(pruning.blocks)):
        raise ConfigError(
            f"preset: published for a network of {pruning.blocks} basic blocks, which "
            f"{name} is not: give ratio and skip instead"
        )
    if len(pruning.ratio) not in (1, stages):
        raise ConfigError(
            f"{len(pruning.ratio)} ratios for {name}: expected one, or one for each of "
            f"its {stages} stages"
        )
    layers = [layer for group in groups for layer in group.layers]
    for pattern in pruning.skip:
        if not _match(layers, [pattern]):
            raise ConfigError(
                f"skip: {name} has no layer {pattern!r} that could be cut"
                f"{near(pattern, layers)}"
            )


def _ratio(group: Group, pruning: Pruning) -> float:
    """The share of a group's channels that is cut; 0 where it stays as it is."""
    wanted = {"inside": group.inside, "trunk": not group.inside, "both": True}
    if not wanted[pruning.where] or _match(group.layers, pruning.skip):
        return 0.0
    if len(pruning.ratio) == 1:
        return pruning.ratio[0]
    return pruning.ratio[-1 if group.stage is None else group.stage - 1]


def _strongest(
    norms: Mapping[str, np.ndarray], group: Group, pruning: Pruning
) -> np.ndarray:
    """The rows of a group's channels that are kept, by the sums of their norms."""
    count, ratio = len(group.channels), _ratio(group, pruning)
    # 0.9 of 10 leave 1, which floating point misses by a hair.
    keep = int(count * (1 - ratio) + 1e-9)
    if keep == 0:
        raise ConfigError(
            f"ratio {ratio:g} leaves {group.layers[0]} none of its {count} filters: "
            f"take at most {1 - 1 / count:.4g}, or skip it"
        )
    keep = math.ceil(keep / pruning.multiple) * pruning.multiple
    columns = zip(group.layers, group.channels.T, strict=True)
    total = sum(norms[layer][numbers] for layer, numbers in columns)
    return np.argsort(-total, kind="stable")[:keep]


def _match(layers: Sequence[str], patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(layer, each) for layer in layers for each in patterns)
