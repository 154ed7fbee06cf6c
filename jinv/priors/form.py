"""What a prior is, but for its numbers: a form is a static argument of programs."""

from dataclasses import dataclass
from typing import Any, Literal, Self

from jinv.checked import Checked
from jinv.errors import ConfigError
from jinv.losses.experts import Expert
from jinv.models.classifier import Classifier
from jinv.suggest import near
from jinv.values import Count, Natural

PriorKind = Literal["experts", "dae"]
Layout = Literal["full", "separable", "channelwise"]

COLOURS = {1: "grey", 3: "RGB"}
"""What images of so many channels are called."""


@dataclass(frozen=True)
class Subject(Checked):
    """What a prior is of: images, or the features of one layer of one network.

    Attributes:
        channels: Number of channels of the images, 1 of grey or 3 of RGB, or of the
            layer's features.
        layer: Name of the layer; "" for images.
        network: Name of the network; "" for images.
        sha256: Checksum of the network's weights; "" for images.
        chosen: Channels that the prior looks at, by number; all where it is empty.

    Example:
        >>> str(Subject(1)), str(Subject(64, "relu1", "alexnet", "12ab", (0, 5)))
        ('grey images', '2 of 64 channels of relu1 of alexnet')
    """

    channels: Count
    layer: str = ""
    network: str = ""
    sha256: str = ""
    chosen: tuple[Natural, ...] = ()

    def __post_init__(self) -> None:
        """Check the channels.

        Raises:
            ConfigError: Images are neither grey nor RGB, or a channel is chosen twice
                or does not exist.
        """
        super().__post_init__()
        if not self.layer and self.channels not in COLOURS:
            raise ConfigError(
                f"channels: expected 1 (grey) or 3 (RGB), found {self.channels}"
            )
        if len(set(self.chosen)) < len(self.chosen):
            raise ConfigError("channels: one is chosen twice; name each once")
        if beyond := [each for each in self.chosen if each >= self.channels]:
            raise ConfigError(
                f"channels: {self.layer or 'an image'} has {self.channels}, numbered "
                f"from 0, and no {beyond[0]}"
            )

    @classmethod
    def of(cls, classifier: Classifier, layer: str, chosen: Any = ()) -> Self:
        """Name the features of a layer that have a height and a width.

        Args:
            classifier: Network whose features they are.
            layer: Name of the layer.
            chosen: Channels, by number; all where there are none.

        Raises:
            ConfigError: The network has no such layer, or its features are no maps.
        """
        shapes, name = classifier.feature_shapes, classifier.spec.name
        maps = [each for each, shape in shapes.items() if len(shape) == 3]
        if layer not in maps:
            why = "has no height and width" if layer in shapes else "is unknown"
            raise ConfigError(
                f"layer {layer!r} of {name} {why}{near(layer, maps)}: choose one of "
                f"{', '.join(maps)}"
            )
        return cls(shapes[layer][-1], layer, name, classifier.checksum, chosen)

    def __str__(self) -> str:
        """Say in words what it is."""
        if not self.layer:
            return f"{COLOURS.get(self.channels, self.channels)} images"
        whole = f"{self.layer} of {self.network}"
        if not self.chosen:
            return whole
        return f"{len(self.chosen)} of {self.channels} channels of {whole}"


@dataclass(frozen=True)
class Form(Checked):
    """The form of a prior: all that its programs depend on, and no numbers.

    Attributes:
        subject: What it is of.
        height: Height of a patch, in pixels of the image or of the feature map.
        width: Width of a patch.
        kind: "experts", by which filters are judged (independent components, fields of
            experts), or "dae", a denoising network.
        expert: Kind of expert.
        layout: "full" filters, each of height x width x channels numbers; "separable"
            ones, products of a spatial filter and one across channels; or
            "channelwise": spatial filters that each channel meets by itself.
    """

    subject: Subject
    height: Count
    width: Count
    kind: PriorKind = "experts"
    expert: Expert = "student-t"
    layout: Layout = "full"

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a patch."""
        return self.height, self.width

    def check_room(self, shape: tuple[int, ...], whose: str) -> None:
        """Refuse images, or feature maps, that are smaller than a patch.

        Args:
            shape: Shape of these, (images, height, width, channels).
            whose: Words for the prior.

        Raises:
            ConfigError: They are.
        """
        _, height, width, _ = shape
        if height < self.height or width < self.width:
            raise ConfigError(
                f"{whose} looks at patches of {self.height}x{self.width}, but there "
                f"are {height}x{width} here: take larger images or resolutions, or "
                "leave it out"
            )

    @property
    def channels(self) -> int:
        """Number of channels that the prior looks at."""
        return len(self.subject.chosen) or self.subject.channels

    @property
    def patch(self) -> tuple[int, int, int]:
        """Height, width and channels of what one filter looks at."""
        channels = 1 if self.layout == "channelwise" else self.channels
        return *self.size, channels

    def __str__(self) -> str:
        """Say in words what it is."""
        what = {"experts": f"{self.expert} experts", "dae": "a denoiser"}[self.kind]
        size = f"{self.height}x{self.width}"
        return f"{what} on {size} patches of {self.subject}"
