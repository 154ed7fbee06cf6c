"""Named settings, published or from a file: their source, what they should yield."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from jinv.atomic import write_json
from jinv.errors import ConfigError
from jinv.inversion.deep import DeepInversion
from jinv.inversion.settings import setting_from_json
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

    Args:
        name: From `PRESETS`, or the path of a .json file; see `read_preset`.

    Raises:
        ConfigError: There is none of this name (near matches are offered), or the file
            is no preset.
    """
    if name in PRESETS:
        return PRESETS[name]
    if name.endswith(".json"):
        return read_preset(Path(name))
    raise ConfigError(
        f"unknown preset {name!r}{near(name, PRESETS)}; there are "
        f"{', '.join(PRESETS)}, and files named *.json"
    )


def read_preset(path: Path) -> Preset:
    """Read what `write_preset` wrote, or somebody by hand.

    The file needs `input_size` and `settings`; settings that it leaves out have their
    defaults.

    Raises:
        ConfigError: The file cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the preset {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"the preset {path} is not JSON: {error}") from error
    try:
        return _from_json(content, str(path))
    except ConfigError as error:
        raise ConfigError(f"the preset {path}: {error}") from error


def write_preset(path: Path, preset: Preset) -> None:
    """Write a preset as a file that `find_preset` reads."""
    facts = asdict(preset)
    settings = facts.pop("method")
    write_json(path, {"method": DeepInversion.__name__, "settings": settings, **facts})


def _from_json(content: Any, source: str) -> Preset:
    if not isinstance(content, dict) or not {"settings", "input_size"} <= set(content):
        raise ConfigError("expected an object with settings and input_size")
    facts = {"method": DeepInversion.__name__, "source": source, "expected": ""}
    facts |= content
    method, settings = facts.pop("method"), facts.pop("settings")
    if method != DeepInversion.__name__:
        raise ConfigError(
            f"unknown method {method!r}; there is {DeepInversion.__name__}"
        )
    if not isinstance(settings, dict):
        raise ConfigError(f"settings: expected an object, found {settings!r}")
    facts = {n: setting_from_json(Preset, n, value) for n, value in facts.items()}
    if facts["input_size"] <= 0:
        raise ConfigError(f"input_size must be positive, not {facts['input_size']}")
    chosen = {
        name: setting_from_json(DeepInversion, name, value)
        for name, value in settings.items()
    }
    return Preset(DeepInversion(**chosen), **facts)


def default_preset(spec: ClassifierSpec) -> str:
    """The preset for a classifier when none is asked for."""
    if not spec.batch_norm:
        return "deepdream"
    return "default" if spec.small else "default-imagenet"
