"""Named settings, published and our own: their source, and what they should yield."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from jinv.atomic import write_json
from jinv.checked import Checked
from jinv.errors import ConfigError
from jinv.former import renewed
from jinv.inversion.dafl import DAFL
from jinv.inversion.deep import DeepInversion
from jinv.inversion.dfad import DFAD
from jinv.inversion.fast import FastGenerators
from jinv.inversion.method import Method
from jinv.inversion.methods import METHODS, find_kind, find_method, method_name
from jinv.inversion.natural import NaturalInversion
from jinv.inversion.settings import setting_from_json
from jinv.json_text import parse_json
from jinv.models.spec import ClassifierSpec
from jinv.suggest import check_known
from jinv.values import Count, Natural


@dataclass(frozen=True)
class Preset(Checked):
    """A configuration with its provenance.

    Attributes:
        method: Settings, of any method.
        source: Source of the settings.
        expected: What they are known to yield.
        input_size: Input size of classifiers that they were made for, in pixels.
        batch_size: Size of the batch that their weights were tuned for; 0 for any. Not
            imposed: it may not fit the device at hand.
    """

    method: Method
    source: str
    expected: str
    input_size: Count
    batch_size: Natural = 0

    def fitted(self, spec: ClassifierSpec) -> Method:
        """Scale the settings' lengths to a classifier's input size."""
        return self.method.scaled(spec.input_size / self.input_size)


_IMAGENET = DeepInversion(
    steps=(2000, 1000),
    resolutions=(112, 224),
    lr=0.2,
    betas=(0.5, 0.9),
    warmup=100,
    w_bn=0.01,
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
        "low-resolution phase optimises 112x112 images, as the paper describes",
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
            w_bn=10.0,
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
            w_bn=1e-2,
            # The report divides the batch's norms by the batch size, 128.
            w_tv2=8e-3 / 128,
            w_l2=1e-5 / 128,
            reduction="nvlabs",
            jitter=30,
            jitter_mode="roll",
            per="batch",
            patience=0.15,
        ),
        source="Technion report on DeepInversion, command-line defaults",
        expected="5000 images of 10 classes by ResNet-50: ResNet-152 recognises 97 %",
        input_size=224,
        batch_size=128,
    ),
    "deepdream": Preset(
        replace(_IMAGENET, w_bn=0.0),
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
            w_bn=10.0,
            bn_norm="layer",
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
    "natural": Preset(
        NaturalInversion(w_class=5.0, channels=64, per="image", jitter_mode="edge"),
        source="this project's own, tuned on CIFAR-10 ResNets",
        expected="100 images by cifar10_resnet20: see the README",
        input_size=32,
    ),
    "natural-cifar10": Preset(
        NaturalInversion(),
        source="Kim et al. 2022, CIFAR-10 (ResNet-34, VGG-11)",
        expected="FID 76.0, recall .279 over 50k images by ResNet-34 (their table 1)",
        input_size=32,
        batch_size=256,
    ),
    "natural-cifar100": Preset(
        NaturalInversion(steps=4000, w_bn=3.0),
        source="Kim et al. 2022, CIFAR-100 (ResNet-34, VGG-16)",
        expected="FID 62.9, recall .289 over 50k images by ResNet-34 (their table 1)",
        input_size=32,
        batch_size=256,
    ),
    **{
        f"fast-{steps}": Preset(
            FastGenerators(
                steps=steps,
                lr_latent=lr_latent,
                lr=lr,
                w_class=0.5,
                w_adversarial=1.33,
                w_tv2=0.0,
                w_l2=0.0,
                channels=128,
                keep="best",
                conditional=False,
                rehearsals=20,
            ),
            source=f"Fang et al. 2022, Fast-{steps} on CIFAR-10 (ResNet-34); for wide "
            "residual networks --w-adversarial 1.1 --w-class 0.4",
            expected=expected,
            input_size=32,
            batch_size=256,
        )
        for steps, lr_latent, lr, expected in (
            (2, 0.015, 5e-3, "not published with these weights"),
            (5, 0.01, 3e-3, "not published with these weights"),
            (10, 0.01, 2e-3, "a ResNet-18 distilled from ResNet-34: 94.05 %"),
        )
    },
    "fast": Preset(
        FastGenerators(),
        source="this project's own, tuned on CIFAR-10 ResNets",
        expected="1000 images by cifar10_resnet20: see the README",
        input_size=32,
    ),
    "dafl": Preset(
        DAFL(),
        source="Chen et al. 2019, with the published code's weights",
        expected="A ResNet-18 distilled from ResNet-34 on CIFAR-10: 92.22 %",
        input_size=32,
    ),
    "dfad": Preset(
        DFAD(),
        source="Fang et al. 2019, its generator",
        expected="A ResNet-18 distilled from ResNet-34 on CIFAR-10: 93.30 %, with the "
        "student learning meanwhile",
        input_size=32,
    ),
}


def find_preset(name: str, method: str | None = None) -> Preset:
    """Look a preset up by its name.

    Args:
        name: Name from `PRESETS`, or the path of a .json file; see `read_preset`.
        method: Name of the method that it has to be for, if any.

    Raises:
        ConfigError: There is none of this name (near matches are offered), the file
            is no preset, or it is one for another method.
    """
    if name not in PRESETS and name.endswith(".json"):
        preset = read_preset(Path(name))
    else:
        check_known("preset", name, PRESETS, ", and files named *.json")
        preset = PRESETS[name]
    if method and type(preset.method) is not find_method(method).kind:
        raise ConfigError(
            f"the preset {name} is for the method {method_name(preset.method)}, not "
            f"{method}, whose presets are {', '.join(presets_of(method))}"
        )
    return preset


def presets_of(method: str) -> list[str]:
    """List the names of a method's presets.

    Raises:
        ConfigError: There is no such method; near matches are offered.
    """
    kind = find_method(method).kind
    return [name for name, preset in PRESETS.items() if type(preset.method) is kind]


def default_preset(spec: ClassifierSpec, method: str | None = None) -> str:
    """Name of the preset for a classifier when none is asked for.

    Args:
        spec: Specification of the classifier.
        method: Name from `METHODS`; by default the first of them.

    Raises:
        ConfigError: There is no such method; near matches are offered.
    """
    return find_method(method or next(iter(METHODS))).preset(spec)


def read_preset(path: Path, known: Iterable[type[Method]] = ()) -> Preset:
    """Read a preset from a file that `write_preset` wrote, or somebody by hand.

    The file needs `input_size` and `settings`; settings that it leaves out have their
    defaults.

    Args:
        path: Path of the file.
        known: Kinds of settings that it may hold; by default those of all methods.

    Raises:
        ConfigError: The file cannot be read, or holds something else.
    """
    path = path.expanduser()
    try:
        content = parse_json(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the preset {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"the preset {path} is not JSON: {error}") from error
    try:
        return _from_json(content, str(path), known)
    except ConfigError as error:
        raise ConfigError(f"the preset {path}: {error}") from error


def write_preset(path: Path, preset: Preset) -> None:
    """Write a preset as a file that `find_preset` reads."""
    facts = asdict(preset)
    settings = facts.pop("method")
    # Where files have always had it.
    facts["patience"] = settings.pop("patience")
    title = type(preset.method).__name__
    write_json(path, {"method": title, "settings": settings, **facts})


def _from_json(content: Any, source: str, known: Iterable[type[Method]]) -> Preset:
    if not isinstance(content, dict) or not {"settings", "input_size"} <= set(content):
        raise ConfigError("expected an object with settings and input_size")
    facts = {"method": DeepInversion.__name__, "source": source, "expected": ""}
    facts |= renewed(content, "preset")
    kind, settings = find_kind(facts.pop("method"), known), facts.pop("settings")
    if not isinstance(settings, dict):
        raise ConfigError(f"settings: expected an object, found {settings!r}")
    if "patience" in facts:
        settings = {"patience": facts.pop("patience"), **settings}
    facts = {n: setting_from_json(Preset, n, value) for n, value in facts.items()}
    chosen = {
        name: setting_from_json(kind, name, value) for name, value in settings.items()
    }
    return Preset(kind(**chosen), **facts)
