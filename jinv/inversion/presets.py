"""Named settings: published ones, with their source and what they should yield."""

from dataclasses import dataclass, replace

from jinv.errors import ConfigError
from jinv.inversion.deep import DeepInversion
from jinv.models.zoo import ClassifierSpec
from jinv.suggest import near


@dataclass(frozen=True)
class Preset:
    """A configuration with its provenance.

    Attributes:
        method: The configuration.
        source: Where it comes from.
        expected: What it is known to yield.
        input_size: The classifier's input size that it was made for, in pixels.
        batch_size: The batch that its weights were tuned for; 0 for any. Not imposed:
            it may not fit the device at hand.
        patience: Share of a stage without improvement after which it ends; 0 never.
    """

    method: DeepInversion
    source: str
    expected: str
    input_size: int
    batch_size: int = 0
    patience: float = 0.0

    def fitted(self, spec: ClassifierSpec) -> DeepInversion:
        """The configuration with its lengths scaled to a classifier's input size."""
        scale = spec.input_size / self.input_size
        return replace(
            self.method,
            resolutions=tuple(round(scale * r) for r in self.method.resolutions),
            jitter=round(scale * self.method.jitter),
        )


_IMAGENET = DeepInversion(
    steps=(2000, 1000),
    resolutions=(112, 224),
    lr=0.2,
    betas=(0.5, 0.9),
    warmup=100,
    w_feature=0.01,
    w_tv2=1e-4,
    w_l2=1e-5,
    reduction="nvlabs",
    jitter=30,
    jitter_mode="roll",
    per="batch",
)

PRESETS = {
    "deepinversion-imagenet": Preset(
        _IMAGENET,
        source="Yin et al. 2020, published ImageNet script, multi-resolution; here the "
        "low-resolution stage optimises 112x112 images, as the paper describes",
        expected="ResNet-50, batch 84: MobileNetV2 recognises 91.7-98.8 %",
        input_size=224,
        batch_size=84,
    ),
    "deepinversion-cifar10": Preset(
        DeepInversion(
            steps=(2000,),
            lr=0.1,
            betas=(0.9, 0.999),
            schedule="constant",
            w_feature=10.0,
            w_tv2=1e-3,
            reduction="nvlabs",
            jitter=2,
            jitter_mode="roll",
            flip=0.0,
            per="batch",
            clip=False,
        ),
        source="Yin et al. 2020, published CIFAR-10 script (ResNet-34)",
        expected="FID 197 over 50k images by ResNet-34 (Kim et al. 2022, table 1)",
        input_size=32,
        batch_size=256,
    ),
    "technion": Preset(
        DeepInversion(
            steps=(20_000,),
            lr=0.2,
            betas=(0.9, 0.999),
            schedule="plateau",
            w_feature=1e-2,
            # The report divides the batch's norms by the batch size, 128.
            w_tv2=8e-3 / 128,
            w_l2=1e-5 / 128,
            reduction="nvlabs",
            jitter=30,
            jitter_mode="roll",
            per="batch",
        ),
        source="Technion report on DeepInversion, command-line defaults",
        expected="5000 images of 10 classes by ResNet-50: ResNet-152 recognises 97 %",
        input_size=224,
        batch_size=128,
        patience=0.15,
    ),
    "deepdream": Preset(
        replace(_IMAGENET, w_feature=0.0),
        source="Mordvintsev et al. 2015, as the baseline of Yin et al. 2020: the class "
        "and the image prior alone",
        expected="Texture of the class without its shape; needs no BatchNorm",
        input_size=224,
    ),
    "default-imagenet": Preset(
        DeepInversion(
            steps=(600, 200),
            resolutions=(112, 224),
            lr=0.2,
            warmup=20,
            w_class=2.0,
            w_feature=10.0,
            feature_norm="layer",
            w_tv2=1e-2,
            jitter=28,
            decay_power=1.0,
            init_scale=0.2,
        ),
        source="this project's own, tuned on EfficientNet-lite0",
        expected="20 images by efficientnet_lite0: efficientnet_lite2 recognises 100 %",
        input_size=224,
    ),
    "default": Preset(
        DeepInversion(steps=(2000, 500), resolutions=(16, 32), w_class=5.0),
        source="this project's own, tuned on CIFAR-10 ResNets",
        expected="100 images by cifar10_resnet20: see the README",
        input_size=32,
    ),
}


def find_preset(name: str) -> Preset:
    """Look a preset up.

    Raises:
        ConfigError: There is none of this name; near matches are offered.
    """
    if name not in PRESETS:
        raise ConfigError(
            f"unknown preset {name!r}{near(name, PRESETS)}; there are "
            f"{', '.join(PRESETS)}"
        )
    return PRESETS[name]


def default_preset(spec: ClassifierSpec) -> str:
    """The preset for a classifier when none is asked for."""
    if not spec.batch_norm:
        return "deepdream"
    return "default" if spec.small else "default-imagenet"
