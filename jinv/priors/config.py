"""Settings of how a prior is learnt."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

from jinv.checked import Checked
from jinv.engine.rounds import whole_rounds
from jinv.errors import ConfigError
from jinv.losses.experts import Expert
from jinv.priors.form import Layout, PriorKind
from jinv.priors.whitening import Whiten
from jinv.values import Count, Natural, NotNegative, Positive, Range, Seed

ObjectiveName = Literal["score-matching", "denoising", "unrolled"]
MeanChoice = Literal["auto", "keep", "drop"]
Shrink = Annotated[float, Range(over=0, most=1)]


@dataclass(frozen=True)
class PriorConfig(Checked):
    """How a prior is learnt: from patches, or from crops, by Adam.

    Attributes:
        kind: "experts", filters whose responses are judged, or "dae", a denoising
            network.
        expert: "logistic" (independent components) or "student-t" (fields of experts).
        layout: "full" filters; "separable" ones, spatial x across channels; or
            "channelwise": spatial ones, which each channel meets by itself.
        objective: "score-matching", exactly; "denoising", score matching at one level
            of noise; or "unrolled": the error of images that are denoised by some
            steps towards the likeliest one, whose rates and weight are learnt too. A
            denoising network always learns by "denoising".
        patch: Height and width of a patch; 0 for the default: 8 for images, and for
            features the receptive field of their layer in the one before, at most 5.
        filters: Number of filters.
        whitening: "pca" or "zca"; see `whiten`.
        components: Number of directions, the widest, that whitening keeps; 0 for all.
            Filters do not look at the others, and noise there costs nothing.
        dc: Whether a patch's mean over all its values counts: "keep", "drop", or
            "auto", which drops it from images and keeps it in features.
        patches: Number of patches that are drawn to learn from.
        shrink: Share of their height and width to which images are shrunk first. JPEG
            files have lost the finest colours, and a prior of them learns that loss;
            at a half there is nothing of it left.
        crops: Number of crops, for what looks beyond a patch: the "unrolled" objective
            and denoising networks.
        crop: Height and width of a crop, at most.
        sigma: Deviation of the noise, in levels of 255 for images, and in hundredths of
            their own deviation for features and for "channelwise" patches.
        unrolled: Steps towards the likeliest image that are learnt through.
        steps: Updates.
        batch_size: Patches or crops in an update.
        lr: Learning rate of the beginning.
        last_lr: Learning rate of the end.
        stages: Number of stages of one rate each, in even ratios; 0 for a cosine.
        max_norm: Largest norm of a gradient, to which longer ones are cut; 0 for any.
        round_steps: Updates between two looks at what was learnt.
        seed: Seed of patches, filters, noise and order.

    Example:
        >>> PriorConfig(steps=100).whole().round_steps
        100
    """

    kind: PriorKind = "experts"
    expert: Expert = "student-t"
    layout: Layout = "full"
    objective: ObjectiveName = "score-matching"
    patch: Natural = 0
    filters: Count = 128
    whitening: Whiten = "pca"
    components: Natural = 0
    dc: MeanChoice = "auto"
    patches: Count = 50_000
    shrink: Shrink = 1.0
    crops: Count = 4_000
    crop: Count = 48
    sigma: Positive = 25.0
    unrolled: Count = 15
    steps: Count = 5_000
    batch_size: Count = 250
    lr: Positive = 0.03
    last_lr: Positive = 1e-4
    stages: Natural = 0
    max_norm: NotNegative = 0.0
    round_steps: Count = 250
    seed: Seed = 0

    def whole(self) -> Self:
        """Make rounds no longer than all steps together.

        Raises:
            ConfigError: The steps make no whole rounds, or settings exclude each other.
        """
        if self.last_lr > self.lr:
            raise ConfigError(
                f"last_lr {self.last_lr:g} is over lr {self.lr:g}: rates fall"
            )
        if self.kind == "dae" and self.objective == "unrolled":
            raise ConfigError(
                "a denoising network (kind dae) learns by denoising: leave out "
                "objective, or take kind experts"
            )
        if self.components and self.layout == "separable":
            raise ConfigError("components: separable filters look in all directions")
        if self.kind == "dae" and self.layout != "full":
            raise ConfigError(f"layout {self.layout} is one of experts, not of a dae")
        return replace(self, round_steps=whole_rounds(self.steps, self.round_steps))

    @property
    def rounds(self) -> int:
        """Number of rounds, of a configuration that is `whole`."""
        return self.steps // self.round_steps

    @property
    def followed(self) -> ObjectiveName:
        """The objective that is followed."""
        return "denoising" if self.kind == "dae" else self.objective

    @property
    def on_crops(self) -> bool:
        """Whether it learns from crops rather than from patches."""
        return self.kind == "dae" or self.objective == "unrolled"
