"""Named settings of feature inversion, published and our own: by network and layers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from jinv.errors import ConfigError
from jinv.inversion.presets import read_preset
from jinv.models.classifier import Classifier
from jinv.models.features import check_layers
from jinv.models.receptive_fields import fields_of
from jinv.reconstruction.feature_inversion import FeatureInversion
from jinv.suggest import check_known


class Depth(NamedTuple):
    """How deep the deepest of some layers lies.

    Attributes:
        field: Rows of the input that one of its units sees, as a share of all rows; 1
            where it sees everything.
        stride: Distance between neighbouring units, in pixels of the input.
        size: Height and width of the input, in pixels.
    """

    field: float
    stride: int
    size: int


def depth_of(classifier: Classifier, layers: Sequence[str]) -> Depth:
    """Tell how deep the deepest of some layers lies in a network."""
    size, fields = classifier.spec.input_size, fields_of(classifier)
    found = [fields[layer] for layer in layers]
    strides = [field.stride for field in fields.values() if field]
    shares = [min(1.0, field.size / size) if field else 1.0 for field in found]
    steps = [field.stride if field else max(strides, default=1) for field in found]
    return Depth(max(shares), max(steps), size)


@dataclass(frozen=True)
class Reconstruction:
    """A configuration of feature inversion with its provenance.

    Attributes:
        settings: (depth) → settings; the layers are filled in.
        source: Source of the settings.
        expected: What they are known to yield.
        needs_prior: Whether they are for use with a learned prior only.
    """

    settings: Callable[[Depth], FeatureInversion]
    source: str
    expected: str
    needs_prior: bool = False

    def fitted(self, classifier: Classifier, layers: Sequence[str]) -> FeatureInversion:
        """Make the settings for layers of a network.

        Raises:
            ConfigError: The network has no such layer.
        """
        check_layers(classifier, layers)
        settings = self.settings(depth_of(classifier, layers))
        return replace(settings, layers=tuple(layers))

    def check_priors(self, priors: Sequence[Any]) -> None:
        """Refuse to go without a learned prior where one is needed.

        Raises:
            ConfigError: There is none.
        """
        if self.needs_prior and not priors:
            raise ConfigError(
                "this preset is for learned priors, and none was given: give --prior "
                "FILE (priors=[…]), as `jinv prior` writes it, or another preset"
            )


def _mahendran_2015(depth: Depth) -> FeatureInversion:
    # All is multiplied by σ², the squared norm of a typical image: that of 227 pixels
    # is 27098.1, 68.9 for each value. λ/2 of the code are the weights here.
    spread = 68.9
    w_tv = 1 if depth.field < 0.26 else 10 if depth.field < 0.65 else 100
    return FeatureInversion(
        w_features=spread**2 * 3 * depth.size**2,
        w_tv=w_tv / 2,
        beta=2.0,
        w_alpha=8e-10 / 2,
        alpha=6.0,
        optimizer="sgd",
        betas=(0.9, 0.0),
        lr=0.004,
        steps=(100, 200, 100),
        rates=(1.0, 0.1, 0.01),
        jitters=(0, 0, 0),
        init="normal",
        init_scale=spread,
    )


def _mahendran_2016(depth: Depth) -> FeatureInversion:
    most, alpha = 80.0, 6.0
    deep = depth.field
    weight = 300 if deep < 0.5 else 100 if deep < 0.65 else 20 if deep < 0.8 else 1
    return FeatureInversion(
        w_features=weight,
        w_tv=(most / 6.5) ** -2,
        beta=2.0,
        w_norm=1.0,
        alpha=alpha,
        norm_bound=most,
        reduction="mean",
        bound=2 * most,
        optimizer="adagrad",
        betas=(0.9, 0.0),
        lr=0.05 * most**2 / alpha,
        steps=(300, 50),
        rates=(1.0, 0.1),
        jitters=(max(1, round(depth.stride / 4)), 0),
        init="uniform",
        # 95 % of the values lie within 80/√3; a uniform one's deviation is 1/√3 of its
        # largest.
        init_scale=most / 3 / 0.95,
    )


def _coursework(depth: Depth) -> FeatureInversion:
    del depth
    return FeatureInversion(
        feature_loss="mean",
        w_tv_squares=1.0,
        # By the sum, every weight that the coursework tries but 0 leaves grey fog.
        reduction="mean",
        unit="image",
        clip=True,
        optimizer="adam",
        betas=(0.9, 0.999),
        lr=0.01,
        steps=(500,),
        init="normal",
        init_scale=0.1,
    )


def _thesis_conv1(depth: Depth) -> FeatureInversion:
    del depth
    return replace(_THESIS, lr=0.004, steps=(1000,), w_prior=0.01)


def _thesis_conv4(depth: Depth) -> FeatureInversion:
    del depth
    rates = 0.01, 0.004, 0.001, 4e-4, 1e-4, 4e-5
    return replace(
        _THESIS,
        lr=rates[0],
        # A fifth of what there is between steps 1000, 1200, 3000, 6000 and 9000.
        steps=(200, 40, 360, 600, 600, 200),
        rates=tuple(rate / rates[0] for rate in rates),
        jitters=(0,) * len(rates),
        w_prior=1e-3,
    )


_THESIS = FeatureInversion(
    unit="input",
    optimizer="adam",
    betas=(0.9, 0.999),
    init="normal",
    init_scale=0.4,
)


def _default(depth: Depth) -> FeatureInversion:
    # Shallow layers keep fine structure themselves: more would take it away again.
    w_tv = 1e-6 if depth.field < 0.5 else 3e-6 if depth.field < 0.8 else 1e-5
    return FeatureInversion(
        w_tv=w_tv,
        beta=1.0,
        unit="image",
        parametrisation="fourier",
        optimizer="adam",
        betas=(0.9, 0.99),
        schedule="cosine",
        lr=0.05,
        # Without shifts, parts of objects end up where no photograph has them.
        steps=(250, 100),
        rates=(1.0, 0.3),
        jitters=(max(1, round(depth.stride / 4)), 0),
        init_scale=0.01,
    )


RECONSTRUCTIONS = {
    "default": Reconstruction(
        _default,
        source="this project's own",
        expected="AlexNet, 20 photographs: squared feature errors of 0.004-0.010 up to "
        "conv4, 0.026 at pool5",
    ),
    "mahendran-2015": Reconstruction(
        _mahendran_2015,
        source="Mahendran & Vedaldi 2015 and its code; their λ by AlexNet's layers are "
        "here by receptive field, and σ by the number of pixels",
        expected="AlexNet, 20 photographs: squared feature errors of 0.015 at conv1, "
        "0.017 at conv2; deeper it diverges, and by half of its rate they are 0.055, "
        "0.052, 0.098 at conv3, conv4, pool5",
    ),
    "mahendran-2016": Reconstruction(
        _mahendran_2016,
        source="Mahendran & Vedaldi 2016 and its code; their C by AlexNet's layers is "
        "here by receptive field",
        expected="AlexNet, 20 photographs: squared feature errors of 0.009-0.021 up to "
        "conv4, 0.111 at pool5",
    ),
    "coursework": Reconstruction(
        _coursework,
        source="a coursework on VGG-16 and ResNet-18, which gives rates, weights and "
        "layers only; Adam, images in [0, 1], the mean squared feature error, squared "
        "differences by pixel and 500 steps are assumed",
        expected="VGG-16 conv3_1, one photograph, 200 steps: a squared feature error "
        "of 0.029, and 0.147 by rate 1e-3",
    ),
    "thesis-conv1": Reconstruction(
        _thesis_conv1,
        source="a thesis on inverting networks by learned priors, for relu1 of "
        "AlexNet; 5000 steps there, 1000 here; its weight of 1e-4, in units that it "
        "does not tell, is 0.01 deviations of a natural patch here; the start and what "
        "x is measured in are assumed",
        expected="two photographs: squared feature errors of 0.015 and 0.014, LPIPS of "
        "0.16 and 0.28",
        needs_prior=True,
    ),
    "thesis-conv4": Reconstruction(
        _thesis_conv4,
        source="the same thesis, for relu4 of AlexNet; 10 000 steps there, 2000 here, "
        "in the same stages, in each of which Adam begins anew; its weight is here in "
        "deviations of a natural patch, and the start and what x is measured in are "
        "assumed",
        expected="two photographs: squared feature errors of 0.021 and 0.042, LPIPS of "
        "0.70 and 0.82: noise",
        needs_prior=True,
    ),
}


def find_reconstruction(name: str) -> Reconstruction:
    """Look named settings up.

    Args:
        name: Name from `RECONSTRUCTIONS`, or the path of a .json file, as a search
            leaves it; see `read_preset`.

    Raises:
        ConfigError: There are none of this name (near matches are offered), or the file
            holds others.
    """
    if name.endswith(".json"):
        return _of_file(Path(name))
    check_known("preset", name, RECONSTRUCTIONS, ", and files named *.json")
    return RECONSTRUCTIONS[name]


def _of_file(path: Path) -> Reconstruction:
    preset = read_preset(path, [FeatureInversion])

    def settings(depth: Depth) -> FeatureInversion:
        found = preset.method.scaled(depth.size / preset.input_size)
        assert isinstance(found, FeatureInversion)
        return found

    return Reconstruction(settings, preset.source, preset.expected)
