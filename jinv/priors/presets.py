"""Ways of learning a prior that have a name, each with its source."""

from dataclasses import dataclass

from jinv.priors.config import PriorConfig
from jinv.suggest import check_known


@dataclass(frozen=True)
class PriorPreset:
    """A way of learning a prior.

    Attributes:
        config: Settings.
        source: Who published them, or who found them.
        expected: What they should yield.
        channels: Channels of the images that they are for: 3 of RGB, or 1 of grey.
    """

    config: PriorConfig
    source: str
    expected: str
    channels: int = 3


PRIORS: dict[str, PriorPreset] = {
    "default": PriorPreset(
        PriorConfig(),
        source="jinv: chosen for seconds of steps on two cores",
        expected="128 filters of patches, edges among them; see docs/priors.md",
    ),
    "thesis": PriorPreset(
        PriorConfig(
            expert="logistic",
            patch=8,
            filters=512,
            patches=100_000,
            batch_size=250,
            steps=25_000,
            lr=1.0,
            last_lr=3e-5,
            stages=10,
            max_norm=1e-3,
        ),
        source="a thesis on inverting networks by learned priors: 512 filters of "
        "8x8x3, 100 000 patches, batches of 250, Adam, 25 000 steps, stepped rates "
        "from 1 to 3e-5, gradients cut to a norm of 1e-3",
        expected="edges and Gabor-like filters, 512 of 8x8x3",
    ),
    "field-of-experts": PriorPreset(
        PriorConfig(
            objective="unrolled",
            patch=5,
            filters=24,
            patches=20_000,
            crop=40,
            unrolled=10,
            batch_size=4,
            steps=1_000,
            lr=0.04,
            last_lr=4e-4,
            max_norm=1.0,
            round_steps=100,
        ),
        source="filters of Roth & Black 2009, learnt by the error of what they denoise "
        "as of Chen, Ranftl & Pock 2014, here through 10 steps",
        expected="28.47 dB on the 68 images of BSD68 at a noise of 25 levels",
        channels=1,
    ),
    "denoiser": PriorPreset(
        PriorConfig(
            kind="dae",
            objective="denoising",
            crop=40,
            batch_size=8,
            steps=2_000,
            lr=2e-3,
            last_lr=2e-5,
        ),
        source="Alain & Bengio 2014: what a denoiser takes away is a score; the "
        "network is jinv's",
        expected="a network of 4 convolutions that removes noise of 25 levels",
    ),
}
"""Ways of learning by name."""


def find_prior_preset(name: str) -> PriorPreset:
    """Look a way of learning a prior up.

    Raises:
        ConfigError: There is none of this name; near matches are offered.
    """
    check_known("preset", name, PRIORS)
    return PRIORS[name]
