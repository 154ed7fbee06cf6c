"""The classifiers that jinv knows by name."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from importlib import resources
from typing import Any

import flax.linen as nn

from jinv.errors import ConfigError
from jinv.models.resnet import BasicBlock, Bottleneck, ResNet, cifar_resnet
from jinv.suggest import near

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CIFAR10_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()


@dataclass(frozen=True)
class Download:
    """A file of weights that somebody else publishes.

    Attributes:
        url: Where it lies.
        sha256: Checksum in hexadecimal; where its publisher gives only the first
            digits, those; empty where it is not known.
        licence: Its licence.
    """

    url: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class ClassifierSpec:
    """What a classifier is, before any weights are read.

    Attributes:
        name: Its name in the zoo.
        build: Makes the Flax module; takes `dtype` and `remat`.
        classes: Class names in the order of the logits.
        input_size: Height and width of the inputs, in pixels.
        mean: Subtracted from images in [0, 1], per channel.
        std: By which the difference is divided, per channel.
        accuracy: Published or measured top-1 accuracy in percent, and on what.
        download: Where its weights can be had, if anywhere.
        aliases: Prefixes of keys in checkpoints → prefixes of ours.
    """

    name: str
    build: Callable[..., nn.Module]
    classes: tuple[str, ...]
    input_size: int
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    accuracy: str = ""
    download: Download | None = None
    aliases: dict[str, str] = field(default_factory=dict)


def classifier_names() -> list[str]:
    """Names of all classifiers in the zoo."""
    return list(_ZOO)


def classifier_spec(name: str) -> ClassifierSpec:
    """Look a classifier up.

    Raises:
        ConfigError: The zoo has none of this name; near matches are offered.

    Example:
        >>> classifier_spec("cifar10_resnet20").input_size
        32
    """
    if name not in _ZOO:
        raise ConfigError(
            f"unknown model {name!r}{near(name, _ZOO)}; see `jinv models`"
        )
    return _ZOO[name]()


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The 1000 classes of ILSVRC 2012, in the order of torchvision's logits."""
    text = resources.files("jinv.models").joinpath("imagenet_classes.txt").read_text()
    return tuple(text.splitlines())


def _imagenet(
    name: str, sizes: tuple[int, ...], block: Any, accuracy: float, sha256: str
) -> ClassifierSpec:
    return ClassifierSpec(
        name=name,
        build=partial(ResNet, sizes, block=block),
        classes=imagenet_classes(),
        input_size=224,
        accuracy=f"{accuracy} on ImageNet (torchvision V1)",
        download=Download(
            f"https://huggingface.co/timm/{name}.tv_in1k/resolve/main/model.safetensors",
            sha256,
            "BSD-3-Clause",
        ),
    )


def _cifar_thin(depth: int, accuracy: float, file: str, sha256: str) -> ClassifierSpec:
    return ClassifierSpec(
        name=f"cifar10_resnet{depth}",
        build=partial(cifar_resnet, depth),
        classes=tuple(CIFAR10_CLASSES),
        input_size=32,
        accuracy=f"{accuracy} on CIFAR-10 (pytorch_resnet_cifar10)",
        download=Download(
            "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/"
            f"pretrained_models/{file}",
            sha256,
            "BSD-2-Clause",
        ),
        aliases={"linear.": "fc."},
    )


def _cifar_wide(name: str, sizes: tuple[int, ...]) -> ClassifierSpec:
    return ClassifierSpec(
        name=name,
        build=partial(ResNet, sizes, num_classes=10, stem="cifar"),
        classes=tuple(CIFAR10_CLASSES),
        input_size=32,
        aliases={"linear.": "fc.", "shortcut.": "downsample."},
    )


_RESNET18_SHA256 = "694f673df6520a3158624e8a89af086f59923ee4cd7436fe5bc3bc71d295ad81"
_RESNET34_SHA256 = "0bb82595a564991a9d424708b33f5d843f5aaed7f6c0886ff10849ff97022235"
_RESNET50_SHA256 = "5d061a3c593d795bfe682d9b152bafbcf550579873492def3515b46db1189888"

_RESNET20_SHA256 = "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8"
_RESNET32_SHA256 = "d509ac1820d7f25398913559d7e81a13229b1e7adc5648e3bfa5e22dc137f850"

_ZOO: dict[str, Callable[[], ClassifierSpec]] = {
    "resnet18": partial(
        _imagenet, "resnet18", (2, 2, 2, 2), BasicBlock, 69.76, _RESNET18_SHA256
    ),
    "resnet34": partial(
        _imagenet, "resnet34", (3, 4, 6, 3), BasicBlock, 73.31, _RESNET34_SHA256
    ),
    "resnet50": partial(
        _imagenet, "resnet50", (3, 4, 6, 3), Bottleneck, 76.13, _RESNET50_SHA256
    ),
    "resnet101": partial(_imagenet, "resnet101", (3, 4, 23, 3), Bottleneck, 77.37, ""),
    "resnet152": partial(_imagenet, "resnet152", (3, 8, 36, 3), Bottleneck, 78.31, ""),
    "cifar10_resnet20": partial(
        _cifar_thin, 20, 91.73, "resnet20-12fca82f.th", _RESNET20_SHA256
    ),
    "cifar10_resnet32": partial(
        _cifar_thin, 32, 92.63, "resnet32-d509ac18.th", _RESNET32_SHA256
    ),
    "cifar10_resnet44": partial(
        _cifar_thin, 44, 93.10, "resnet44-014dd654.th", "014dd654"
    ),
    "cifar10_resnet56": partial(
        _cifar_thin, 56, 93.39, "resnet56-4bfd9763.th", "4bfd9763"
    ),
    "cifar10_resnet110": partial(
        _cifar_thin, 110, 93.68, "resnet110-1d1ed7c2.th", "1d1ed7c2"
    ),
    "cifar10_resnet18": partial(_cifar_wide, "cifar10_resnet18", (2, 2, 2, 2)),
    "cifar10_resnet34": partial(_cifar_wide, "cifar10_resnet34", (3, 4, 6, 3)),
}
