"""Settings of decoders: what they are made of, and how they learn."""

from dataclasses import dataclass, replace
from typing import Literal, Self

from jinv.checked import Checked
from jinv.engine.optimizers import Schedule
from jinv.engine.rounds import whole_rounds
from jinv.errors import ConfigError
from jinv.values import Count, Natural, NotNegative, Positive, Seed

Architecture = Literal["modular", "monolithic"]
Upwards = Literal["transposed", "resize"]
Regime = Literal["stacked", "joint", "end"]


@dataclass(frozen=True)
class DecoderConfig(Checked):
    """A decoder, which makes images of a layer's features, and how it learns.

    A modular decoder has a module for each station on the way from an image to the
    layer: for each convolution with its nonlinearity, and for each pool. With Φ_l what
    the network makes of a photograph there, y_l what the decoder makes of it,
    ‖·‖² a mean over values, and r_l the root mean square of Φ_l, which is measured
    before:

        loss = w_image ‖y_0 - x‖² + w_features ‖Φ(y_0) - Φ_n‖² / r_n²
               + w_between Σ_{0<l<n} ‖y_l - Φ_l‖² / r_l²

    Attributes:
        architecture: "modular", or "monolithic": one network for the whole way, in the
            manner of Dosovitskiy & Brox 2016, "Inverting Visual Representations with
            Convolutional Networks".
        upwards: How resolution grows: by "transposed" convolutions, or by a "resize" to
            the nearest neighbour and a convolution, which leaves no checkerboards.
        width: Channels, as a share of those of the features, or of the publication's.
        regime: How modules learn: "stacked", each alone, from what the network makes of
            photographs; "joint", each from what the one before makes, with all losses;
            or "end", likewise, with the losses of the image alone. Of a single module
            all three are the same.
        w_image: Weight of the image's error, in the network's normalised inputs.
        w_features: Weight of the error of the decoded image's features.
        w_between: Weight of the errors at the stations between; None for 1, or for 0 in
            the regime "end", which has no other.
        crop: Height and width of the random crops, in pixels; 0 for 64, or for the
            network's own where that is smaller, or it takes no other, or the layer has
            no places.
        steps: Updates.
        batch_size: Crops in an update.
        lr: Highest learning rate of Adam.
        warmup: Updates over which the rate rises from 0, but no more than a tenth of
            all: where modules feed each other, the first updates are the wildest.
        max_norm: Largest norm of an update's gradient, to which longer ones are cut; 0
            for any.
        schedule: Learning rate over the updates; see `make_schedule`.
        round_steps: Updates between two looks at photographs that are held out.
        seed: Seed of the initialisation, the order of photographs, and the crops.

    Example:
        >>> DecoderConfig(steps=1000, round_steps=50).rounds
        20
    """

    architecture: Architecture = "modular"
    upwards: Upwards = "transposed"
    width: Positive = 1.0
    regime: Regime = "end"
    w_image: NotNegative = 1.0
    w_features: NotNegative = 0.0
    w_between: NotNegative | None = None
    crop: Natural = 0
    steps: Count = 2000
    batch_size: Count = 8
    lr: Positive = 1e-3
    warmup: Natural = 100
    max_norm: NotNegative = 1.0
    schedule: Schedule = "cosine"
    round_steps: Count = 100
    seed: Seed = 0

    @property
    def rounds(self) -> int:
        """Number of rounds, of a configuration that is `whole`."""
        return self.steps // self.round_steps

    def whole(self) -> Self:
        """Make rounds, and the warm-up, no longer than the steps allow; weigh stations.

        Raises:
            ConfigError: The steps make no whole rounds, the image has no loss, or
                `w_between` is not what the regime says.
        """
        if not (self.w_image or self.w_features):
            raise ConfigError(
                "w_image and w_features are 0: nothing says what the image shall be"
            )
        usual = 0.0 if self.regime == "end" else 1.0
        between = usual if self.w_between is None else self.w_between
        if self.regime == "end" and between:
            raise ConfigError(
                f"w_between is {between}, but regime 'end' has losses of the image "
                "alone: take regime 'joint', or leave w_between out"
            )
        if self.regime == "stacked" and not between:
            raise ConfigError(
                "w_between is 0, but nothing else teaches modules of regime 'stacked': "
                "leave w_between out, or take regime 'end'"
            )
        return replace(
            self,
            w_between=between,
            round_steps=whole_rounds(self.steps, self.round_steps),
            warmup=min(self.warmup, self.steps // 10),
        )
