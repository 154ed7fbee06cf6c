"""Networks of small images: CIFAR-10's, CIFAR-100's and MNIST's."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import flax.linen as nn

from jinv.models.architectures.mobilenet import mobilenet_v2
from jinv.models.architectures.resnet import ResNet, cifar_resnet
from jinv.models.architectures.small import CONV_WIDTHS, SmallNet
from jinv.models.architectures.vgg import VGG, VGG_STAGES
from jinv.models.architectures.wide_resnet import WideResNet
from jinv.models.spec import ClassifierSpec, Download


def small_networks() -> Iterator[ClassifierSpec]:
    """All networks of small images, those of CIFAR twice, by their classes."""
    yield from _cifar("cifar10", _CIFAR10)
    yield from _cifar("cifar100", _CIFAR100)
    yield _mnist()


def _cifar(data: str, classes: tuple[str, ...]) -> Iterator[ClassifierSpec]:
    def spec(name: str, build: Callable[..., nn.Module], **more: Any):
        return ClassifierSpec(f"{data}_{name}", build, classes, 32, **more)

    thin = {"linear.": "fc."}
    # A student that studies can afford; nobody publishes weights.
    yield spec("resnet8", partial(cifar_resnet, 8), aliases=thin)
    for depth, (accuracy, digits, sha256) in _THIN_RESNETS.items():
        published = Download(
            "https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/"
            f"pretrained_models/resnet{depth}-{digits}.th",
            sha256 or digits,
            "BSD-2-Clause",
        )
        ten = data == "cifar10"
        yield spec(
            f"resnet{depth}",
            partial(cifar_resnet, depth),
            accuracy=f"{accuracy} on CIFAR-10 (pytorch_resnet_cifar10)" if ten else "",
            source=published if ten else None,
            aliases=thin,
        )
    renamed = {"linear.": "fc.", "shortcut.": "downsample."}
    # Small and not thin, for those who train on a laptop.
    yield spec("resnet8x2", partial(ResNet, (1, 1, 1), (32, 64, 128), stem="cifar"))
    for depth, sizes in ((18, (2, 2, 2, 2)), (34, (3, 4, 6, 3))):
        build = partial(ResNet, sizes, stem="cifar")
        yield spec(f"resnet{depth}", build, aliases=renamed)
    for depth, sizes in VGG_STAGES.items():
        yield spec(f"vgg{depth}_bn", partial(VGG, sizes, head="linear"))
    yield spec("mobilenet_v2", partial(mobilenet_v2, True))
    for depth, widening in ((16, 1), (16, 2), (40, 1), (40, 2)):
        yield spec(f"wrn{depth}_{widening}", partial(WideResNet, depth, widening))
    for stages in range(1, len(CONV_WIDTHS) + 1):
        build = partial(SmallNet, CONV_WIDTHS[:stages])
        yield spec(f"conv{2 * stages}", build, batch_norm=False)


def _mnist() -> ClassifierSpec:
    return ClassifierSpec(
        name="mnist_fc",  # LeNet-300-100
        build=partial(SmallNet, (), hidden=(300, 100), input_size=28),
        classes=tuple("0123456789"),
        input_size=28,
        mean=(0.1307,),
        std=(0.3081,),
        batch_norm=False,
    )


_THIN_RESNETS = {
    20: (
        91.73,
        "12fca82f",
        "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8",
    ),
    32: (
        92.63,
        "d509ac18",
        "d509ac1820d7f25398913559d7e81a13229b1e7adc5648e3bfa5e22dc137f850",
    ),
    44: (93.10, "014dd654", ""),
    56: (93.39, "4bfd9763", ""),
    110: (93.68, "1d1ed7c2", ""),
}
"""Accuracy by depth, digits in the file's name, and sha256 where it is known whole."""

_CIFAR10 = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())

_CIFAR100 = tuple(
    """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach
couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster
house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket
rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip
turtle wardrobe whale willow_tree wolf woman worm
""".split()
)
