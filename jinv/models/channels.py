"""Who writes a network's channels, and who reads them: what can be cut together.

A channel can only be cut from all layers that write to it, those of one sum, and then
from all that read it. Which these are is seen, not known: the network runs with marks
in the place of numbers, where each convolution and dense layer puts out which channel
it is, in binary digits, instead of what it would compute. So shortcuts of any kind,
pools and flattened activations need no rules of their own.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jinv.models.classifier import Classifier
from jinv.models.operations.layers import BatchNorm, Conv
from jinv.models.operations.taps import FEATURES

_SMALL = 32
"""Height and width of the marks, in pixels, where the network takes such inputs."""
_OUTPUT = "the output"

Channel = tuple[str, int]
"""A layer, and the number of a channel among those that it puts out."""


Sources = tuple[Channel | None, ...]
"""A channel for each input of a layer: of a sum, one of those that meet there; None
where the input is no layer's, as the image is not."""


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Group:
    """Channels that the same layers write, and which can be cut.

    Attributes:
        layers: Names of the layers, in the order in which an input meets them.
        channels: Numbers of the channels (channels, layers): those in a row are one
            channel of a sum.
        inside: Whether one layer writes them, no other than these, and one reads them,
            as inside a block; or else they are of a trunk.
        stage: Stage that they are in, counted from 1; None where the network names no
            stages, or ends them before.
    """

    layers: tuple[str, ...]
    channels: np.ndarray
    inside: bool
    stage: int | None


class Channels(NamedTuple):
    """The channels of a network.

    Attributes:
        groups: Channels that can be cut, by who writes them.
        sources: What convolutions, dense layers and BatchNorm read, by their names.
        carriers: Names of the depthwise convolutions: they put out the channels that
            they read, one for one, as BatchNorm does.
    """

    groups: tuple[Group, ...]
    sources: dict[str, Sources]
    carriers: tuple[str, ...]


def channels_of(classifier: Classifier) -> Channels:
    """Find the channels of a network, and which of them can be cut.

    Those that end in the logits cannot, nor can those that are mixed with others before
    a layer reads them.

    Args:
        classifier: Network of the zoo, of `Conv`, `flax.linen.Dense` and `BatchNorm`
            layers.
    """
    return classifier.memo.get("channels", lambda: _found(classifier))


def _found(classifier: Classifier) -> Channels:
    writers, carriers, told = _marks(classifier)
    features = [name for name in told if isinstance(name, tuple)]
    heard = {name: told.pop(name) for name in features}
    ends = told.pop(_OUTPUT)
    mixed = [
        writer
        for found in told.values()
        for writer, numbers in found.items()
        if (numbers == _SEVERAL).any()
    ]
    fixed = {*ends, *mixed}
    """Layers whose channels cannot be cut."""
    sums = _Sums()
    sources = {name: sums.meet(found) for name, found in told.items() if found}
    reads = {
        writer: {name for name in writers if writer in told[name]} for writer in writers
    }
    tapped = {
        writer: {name for _, name in features if writer in heard[FEATURES, name]}
        for writer in writers
    }
    stages = _stages(writers, reads, tapped)
    written = sums.by_layers(list(writers))
    # Where only some of a layer's channels meet others, all are of a trunk.
    shares = Counter(layer for layers in written for layer in layers)
    for layers, members in written.items():
        if any(len(member) > len(layers) for member in members):
            fixed.update(layers)  # channels of one layer meet each other
    for _ in written:  # who writes to a sum with others stays as these do
        fixed.update(*(layers for layers in written if fixed.intersection(layers)))
    groups = []
    for layers, members in written.items():
        if fixed.intersection(layers):
            continue
        first = layers[0]
        inside = len(layers) == len(reads[first]) == shares[first] == 1
        known = [stage for layer in layers if (stage := stages[layer]) is not None]
        stage = min(known, default=None)
        groups.append(Group(layers, np.array(members), inside, stage))
    return Channels(tuple(groups), sources, carriers)


_NOBODY, _SEVERAL = -1, -2


class _Sums:
    """Channels that meet, as sets that grow."""

    def __init__(self):
        self._parent: dict[Channel, Channel] = {}

    def meet(self, found: dict[str, np.ndarray]) -> Sources:
        """Note which channels meet in the inputs of a layer; returns one for each."""
        met: list[Channel | None] = [None] * len(next(iter(found.values())))
        for writer, numbers in found.items():
            for place in np.flatnonzero(numbers >= 0).tolist():
                channel, other = (writer, int(numbers[place])), met[place]
                self._parent[self._root(channel)] = self._root(other or channel)
                met[place] = channel
        return tuple(met)

    def _root(self, channel: Channel) -> Channel:
        self._parent.setdefault(channel, channel)
        while (parent := self._parent[channel]) != channel:
            channel = parent
        return channel

    def by_layers(
        self, order: list[str]
    ) -> dict[tuple[str, ...], list[tuple[int, ...]]]:
        """The numbers of channels that meet, by the layers whose they are."""
        whole = defaultdict(list)
        for channel in self._parent:
            whole[self._root(channel)].append(channel)
        found = defaultdict(list)
        for members in whole.values():
            members.sort(key=lambda channel: (order.index(channel[0]), channel[1]))
            layers = tuple(dict.fromkeys(layer for layer, _ in members))
            found[layers].append(tuple(number for _, number in members))
        first = sorted(found, key=lambda layers: (order.index(layers[0]), -len(layers)))
        return {layers: sorted(found[layers]) for layers in first}


def _marks(
    classifier: Classifier,
) -> tuple[dict[str, int], tuple[str, ...], dict[Any, dict[str, np.ndarray]]]:
    """Run the network with marks, once for each layer that writes.

    Returns:
        Numbers of channels by layer, in the order in which an input meets the layers;
        the depthwise convolutions, which carry what others write; and by who listens,
        and by layer that is heard, the number that each input of the former is, see
        `_numbers`. Features listen as `FEATURES` and their name.
    """
    spec = classifier.spec
    size = min(_SMALL, spec.input_size)
    size = size if classifier.takes(size) else spec.input_size
    # What is heard inside of a block that is recomputed would not come out of it.
    module = classifier.module.clone(remat=False)
    widths: dict[str, int] = {}
    carriers: list[str] = []
    names: list[Any] = []

    def run(variables: Any, chosen: jax.Array) -> list[jax.Array]:
        heard: dict[Any, jax.Array] = {}
        widths.clear()
        carriers.clear()

        def listen(call, args, kwargs, context):
            layer, name = context.module, ".".join(context.module.path)
            if context.method_name != "__call__":
                return call(*args, **kwargs)
            if isinstance(layer, BatchNorm):
                heard[name] = _by_channel(args[0])
                return args[0]
            if not isinstance(layer, Conv | nn.Dense):
                return call(*args, **kwargs)
            heard[name] = _by_channel(args[0])
            made = call(*args, **kwargs)  # of whose numbers nothing is computed
            if _is_depthwise(layer, args[0]):
                carriers.append(name)
                codes = heard[name].astype(made.dtype)
            else:
                number = len(widths)
                widths[name] = made.shape[-1]
                codes = jnp.asarray(_codes(digits, made.shape[-1]))
                codes = jnp.where(chosen == number, codes, 0).astype(made.dtype)
            spatial = tuple(range(1, made.ndim - 1))
            return jnp.broadcast_to(jnp.expand_dims(codes, spatial), made.shape)

        inputs = jnp.zeros((2 * digits, size, size, spec.channels))
        with nn.intercept_methods(listen):
            logits, told = module.apply(
                variables, inputs, mutable=[FEATURES], **classifier.inference
            )
        heard[_OUTPUT] = _by_channel(logits)
        features = jax.tree_util.tree_leaves_with_path(told.get(FEATURES, {}))
        for path, value in features:
            heard[FEATURES, path[-1].key] = _by_channel(value)
        names[:] = heard
        return list(heard.values())

    kernels = [x.shape[-1] for x in jax.tree.leaves(classifier.variables["params"])]
    digits = max(kernels).bit_length()
    marked = jax.jit(run)
    jax.eval_shape(run, classifier.variables, jnp.int32(0))  # tells the layers
    told: dict[Any, dict[str, np.ndarray]] = {name: {} for name in names}
    for number, writer in enumerate(widths):
        found = jax.device_get(marked(classifier.variables, jnp.int32(number)))
        for name, marks in zip(names, found, strict=True):
            numbers = _numbers(marks)
            if (numbers != _NOBODY).any():
                told[name][writer] = numbers
    return widths, tuple(carriers), told


def _is_depthwise(layer: nn.Module, x: jax.Array) -> bool:
    """Whether a convolution puts out as many channels as it reads, each of one."""
    return isinstance(layer, Conv) and layer.groups == layer.features == x.shape[-1]


def _codes(digits: int, count: int) -> np.ndarray:
    """Each number's binary digits and their complements (2 digits, numbers).

    Where several numbers meet, some digit is there as well as its complement.
    """
    bits = np.arange(count) >> np.arange(digits)[:, None] & 1
    return np.concatenate([bits, 1 - bits]).astype(np.float32)


def _numbers(marks: np.ndarray) -> np.ndarray:
    """The numbers whose codes are there: `_NOBODY` of none, `_SEVERAL` of a mixture."""
    bits, complements = np.split(marks, 2)
    numbers = np.sum(bits << np.arange(len(bits))[:, None], 0)
    numbers = np.where((bits & complements).any(0), _SEVERAL, numbers)
    return np.where(marks.any(0), numbers, _NOBODY)


def _by_channel(x: jax.Array) -> jax.Array:
    """Whether there are marks, by digit and input."""
    return jnp.any(x > 0, tuple(range(1, x.ndim - 1)))


def _stages(
    writers: dict[str, int], reads: dict[str, set[str]], tapped: dict[str, set[str]]
) -> dict[str, int | None]:
    """The first stage whose output depends on a layer, by layer."""
    found: dict[str, int | None] = {}
    for layer in reversed(writers):
        own = [
            int(number)
            for name in tapped[layer]
            if (number := name.removeprefix("stage")).isdigit()
        ]
        later = [found[reader] for reader in reads[layer] if reader in found]
        found[layer] = min((n for n in (*own, *later) if n), default=None)
    return found
