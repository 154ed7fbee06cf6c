"""Named ways to a student without data, published and our own, with their source."""

from dataclasses import dataclass, replace

from jinv.errors import ConfigError
from jinv.inversion.presets import PRESETS, Preset
from jinv.suggest import near
from jinv.transfer.distill_config import DistillConfig
from jinv.values import Count, Natural


@dataclass(frozen=True, kw_only=True)
class Distillation(Preset):
    """A way to a student without data: how images are made and how it learns.

    Attributes:
        config: How the student learns.
        images_at_once: Images of a batch, one of which is made for each round.
        warmup_batches: Batches that are made before the first update.
        leaves: Dead leaves that are in the pool from the start.
    """

    config: DistillConfig
    images_at_once: Count
    warmup_batches: Natural
    leaves: Natural = 0


# Fang et al. 2022, "Up to 100x Faster Data-free Knowledge Distillation": 220 epochs of
# a batch of 256 images and 400 updates, 20 of them without updates.
_FIELD = DistillConfig(
    steps=80_000,
    batch_size=256,
    temperature=20.0,
    w_hints=0.0,
    max_norm=0.0,
    collage=0,
    round_steps=400,
)

DISTILLATIONS = {
    "default": Distillation(
        config=DistillConfig(),
        method=replace(PRESETS["fast"].method, w_adversarial=1.0),
        images_at_once=100,
        warmup_batches=5,
        leaves=10_000,
        source="this project's own, sized for two cores",
        expected="80.4 % of a cifar10_wrn16_1 by cifar10_resnet20 (91.0 %), where real "
        "images yield 85.1 %: see docs/students.md",
        input_size=32,
    ),
    "fast-10": Distillation(
        config=replace(_FIELD, lr=0.2),
        method=PRESETS["fast-10"].method,
        images_at_once=256,
        warmup_batches=20,
        source="Fang et al. 2022, Fast-10 on CIFAR-10 (ResNet-34 to ResNet-18)",
        expected="94.05 % by a teacher of 95.70 %, at 0.28 hours of making images",
        input_size=32,
    ),
    "adaptive-deepinversion": Distillation(
        config=replace(_FIELD, round_steps=50),
        method=replace(PRESETS["deepinversion-cifar10"].method, w_disagreement=10.0),
        images_at_once=256,
        warmup_batches=0,
        source="Yin et al. 2020, CIFAR-10; updates as in Fang et al. 2022, whose table "
        "has it; a batch for every 50 updates",
        expected="93.26 % by a teacher of 95.70 % (ResNet-34 to ResNet-18)",
        input_size=32,
    ),
    "adaptive-natural": Distillation(
        config=_FIELD,
        method=replace(PRESETS["natural-cifar10"].method, w_disagreement=10.0),
        images_at_once=256,
        warmup_batches=0,
        source="Kim et al. 2022, CIFAR-10, with the disagreement of Yin et al. 2020; "
        "its weight and the updates are not published and assumed",
        expected="94.87 % by a teacher of 95.57 % (ResNet-34 to ResNet-18)",
        input_size=32,
    ),
}


def find_distillation(name: str) -> Distillation:
    """Look a way up by its name.

    Raises:
        ConfigError: There is none of this name; near matches are offered.
    """
    if name not in DISTILLATIONS:
        raise ConfigError(
            f"unknown preset {name!r}{near(name, DISTILLATIONS)}; there are "
            f"{', '.join(DISTILLATIONS)}"
        )
    return DISTILLATIONS[name]
