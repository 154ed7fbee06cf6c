"""Published prunings by name, with their source."""

from dataclasses import dataclass
from typing import Literal

from jinv.checked import Checked
from jinv.suggest import check_known
from jinv.values import Count, ShareBelow1

Where = Literal["inside", "trunk", "both"]
"""Which channels are cut: those inside blocks, those that several layers write to or
read, or both."""


@dataclass(frozen=True, kw_only=True)
class Pruning(Checked):
    """What is cut of a network.

    Attributes:
        ratio: Share of the channels that is cut: one everywhere, or one for each stage.
        where: Which channels are cut.
        skip: Patterns of the names of layers that keep theirs, e.g. "layer4.*".
        multiple: Number of which the channels that are kept are a multiple, or all:
            more are kept than the ratio says.
        blocks: Numbers of basic blocks by stage that the network has for which these
            settings are published; empty for any network.
        source: Where these settings come from.
        expected: What they yield there.
    """

    ratio: tuple[ShareBelow1, ...]
    where: Where = "inside"
    skip: tuple[str, ...] = ()
    multiple: Count = 1
    blocks: tuple[int, ...] = ()
    source: str = ""
    expected: str = ""


def _published(
    blocks: tuple[int, ...], ratio: tuple[float, ...], skip: tuple[int, ...], test: str
) -> Pruning:
    """A network of basic blocks; 3×3 convolutions have numbers, the stem's is 1."""
    names = first_convolutions(blocks)
    return Pruning(
        ratio=ratio,
        skip=tuple(names[number // 2 - 1] for number in skip),
        blocks=blocks,
        source="Li et al. 2017; layers as Liu et al. 2019 have them",
        expected=test,
    )


def first_convolutions(blocks: tuple[int, ...]) -> list[str]:
    """Name the first convolutions of all blocks, given their numbers by stage.

    Example:
        >>> first_convolutions((1, 2))
        ['layer1.0.conv1', 'layer2.0.conv1', 'layer2.1.conv1']
    """
    return [
        f"layer{stage}.{block}.conv1"
        for stage, count in enumerate(blocks, start=1)
        for block in range(count)
    ]


_RESNET34 = 2, 8, 14, 16, 26, 28, 30, 32

PRUNINGS = {
    "resnet56-a": _published(
        (9, 9, 9),
        (0.1, 0.1, 0.1),
        (16, 20, 38, 54),
        "CIFAR-10: 93.04 % before, 93.10 % when it was trained again",
    ),
    "resnet56-b": _published(
        (9, 9, 9),
        (0.6, 0.3, 0.1),
        (16, 18, 20, 34, 38, 54),
        "CIFAR-10: 93.04 % before, 93.06 % when it was trained again, with 27.6 % "
        "fewer multiplications",
    ),
    "resnet110-a": _published(
        (18, 18, 18),
        (0.5, 0.0, 0.0),
        (36,),
        "CIFAR-10: 93.53 % before, 93.55 % when it was trained again",
    ),
    "resnet110-b": _published(
        (18, 18, 18),
        (0.5, 0.4, 0.3),
        (36, 38, 74),
        "CIFAR-10: 93.53 % before, 93.30 % when it was trained again",
    ),
    "resnet34-a": _published(
        (3, 4, 6, 3),
        (0.3, 0.3, 0.3, 0.0),
        _RESNET34,
        "ImageNet: 73.31 % before, 72.56 % when it was trained again",
    ),
    "resnet34-b": _published(
        (3, 4, 6, 3),
        (0.5, 0.6, 0.4, 0.0),
        _RESNET34,
        "ImageNet: 73.31 % before, 72.29 % when it was trained again",
    ),
}


def find_pruning(name: str) -> Pruning:
    """Look a published pruning up by its name.

    Raises:
        ConfigError: There is none of this name; near matches are offered.
    """
    check_known("preset", name, PRUNINGS)
    return PRUNINGS[name]
