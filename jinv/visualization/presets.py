"""Named settings of visualisation, published and our own."""

from dataclasses import dataclass, replace

from jinv.errors import ConfigError
from jinv.models.spec import ClassifierSpec
from jinv.suggest import check_known
from jinv.visualization.dreams import Caricature, DeepDream
from jinv.visualization.visualization import Visualization

_INPUT_SIZE = 224
"""Input size of the networks that lengths were published for, in pixels."""


@dataclass(frozen=True)
class VisualPreset:
    """A configuration of visualisation with its provenance.

    Attributes:
        method: Settings for networks whose inputs have 224 pixels.
        source: Source of the settings.
        expected: What they are known to yield.
    """

    method: Visualization
    source: str
    expected: str

    def fitted(self, spec: ClassifierSpec) -> Visualization:
        """Scale the settings' lengths to a classifier's input size."""
        return self.method.scaled(spec.input_size / _INPUT_SIZE)


# What the recipe of lucid has.
_LUCID_CARICATURE = Caricature(
    margin=8,
    shifts=(8, 2),
    factors=(0.9, 0.95, 1.05, 1.1, 1.0, 1.0, 1.0, 1.0),
    angles=(*map(float, range(-5, 5)), *(0.0,) * 5),
    per="batch",
    cosine_power=0.0,
)

VISUALIZATIONS = {
    "default": VisualPreset(
        Visualization(steps=64),
        source="this project's own",
        expected="AlexNet, conv5:0-3: activations of 69, 63, 33 and 21; less glaring "
        "than those of lucid, for an eighth of the passes",
    ),
    "lucid": VisualPreset(
        Visualization(per="batch"),
        source="Olah et al. 2017 and the defaults of its library, lucid",
        expected="AlexNet, conv5:0-3: activations of 129, 153, 69 and 45",
    ),
    "deepdream": VisualPreset(
        DeepDream(
            lr=1.5 / 255,
            optimizer="normalised",
            steps=10,
            octaves=4,
            octave_scale=1.4,
            parametrisation="pixels",
            init_scale=0.0,
            margin=0,
            shifts=(0, 0),
            factors=(),
            angles=(),
            roll=32,
        ),
        source="Mordvintsev et al. 2015, the notebook of DeepDream",
        expected="AlexNet, relu5, a photograph of 768x512 pixels: half of the mean "
        "square rises from 0.26 to 12",
    ),
    "caricature": VisualPreset(
        replace(_LUCID_CARICATURE, steps=64, cosine_power=1.0, per="image"),
        source="this project's own",
        expected="AlexNet, three photographs: a likeness of 1.5-1.9 (cosine 0.72-0.76) "
        "at relu3, 1.9-2.5 (0.68-0.73) at relu5",
    ),
    "lucid-caricature": VisualPreset(
        _LUCID_CARICATURE,
        source="lucid, recipes/caricature; there the photograph is transformed too",
        expected="AlexNet, relu5, the same photographs: a likeness of 6.9-8.0 (cosine "
        "0.56-0.63)",
    ),
}
"""Presets by name; the first of a kind is that of those who do not say."""


def find_visualization(name: str, kind: type[Visualization]) -> VisualPreset:
    """Look named settings up.

    Args:
        name: Name from `VISUALIZATIONS`.
        kind: Method that they are to be for.

    Raises:
        ConfigError: There are none of this name, or they are of another method; near
            matches are offered.
    """
    fitting = presets_for(kind)
    check_known("preset", name, VISUALIZATIONS)
    if name not in fitting:
        raise ConfigError(
            f"the preset {name} is of {type(VISUALIZATIONS[name].method).__name__}, "
            f"but {kind.__name__} is asked for, which has {', '.join(fitting)}"
        )
    return VISUALIZATIONS[name]


def presets_for(kind: type[Visualization]) -> list[str]:
    """List the names of a method's presets, the one to take first."""
    return [n for n, preset in VISUALIZATIONS.items() if type(preset.method) is kind]
