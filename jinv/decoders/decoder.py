"""Decoders that have learnt, and the files that hold them."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import safe_open

from jinv.checked import checked
from jinv.decoders.config import DecoderConfig
from jinv.decoders.design import Design, Params, design_decoder
from jinv.errors import ConfigError, JinvError, WeightsError
from jinv.formats.kinds import kind_of
from jinv.json_text import parse_json
from jinv.models.classifier import Classifier
from jinv.models.facts import ENTRY
from jinv.models.weights.checksums import sha256_of
from jinv.models.weights.fitting import from_state_dict
from jinv.models.weights.state_dict import to_state_dict
from jinv.models.weights.writing import write_weights
from jinv.values import Count, Positive, converted

NAME = "decoder.safetensors"
"""Name of a decoder's file in its folder."""
FORMAT = 2
"""Format of the files that are written here."""

_ABOUT = "decoder"
_AT_ONCE = 8
"""Images that are decoded together."""


class About(NamedTuple):
    """What a file says of the decoder in it.

    Attributes:
        network: Name of the network whose features it decodes.
        network_sha256: Checksum of that network's weights; see `Classifier.checksum`.
        layer: Name of the layer.
        crop: Height and width of the crops that it learnt from, in pixels.
        config: Settings.
        scales: Root mean squares of the stations.
    """

    network: str
    network_sha256: str
    layer: str
    crop: int
    config: DecoderConfig
    scales: tuple[float, ...]


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Decoder:
    """A network that makes images of what another one's layer says of them.

    Attributes:
        design: Modules, and the network whose features they decode.
        params: Parameters of the modules.
        about: What its file says of it.
        sha256: Checksum of its file.

    Example:
        >>> import jinv
        >>> from jinv.decoders.config import DecoderConfig
        >>> network = jinv.load_classifier("cifar10_resnet20")
        >>> config = DecoderConfig(crop=32, width=0.5)
        >>> design = design_decoder(network, "middle1", config)
        >>> about = About("cifar10_resnet20", "", "middle1", 32, config, (1.0, 1.0))
        >>> decoder = Decoder(design, design.init(0, 32), about)
        >>> decoder.images(np.zeros((2, 32, 32, 16))).shape
        (2, 32, 32, 3)
    """

    design: Design
    params: Params
    about: About
    sha256: str = ""

    def __repr__(self) -> str:
        """A line for people, without the weights."""
        count = sum(leaf.size for leaf in jax.tree.leaves(self.params))
        return (
            f"<Decoder: {self.layer} of {self.about.network}, "
            f"{self.about.config.architecture}, {count:,} parameters, "
            f"{self.sha256[:8] or 'from no file'}>"
        )

    @property
    def layer(self) -> str:
        """Layer whose features are decoded."""
        return self.design.layer

    def check(self, classifier: Classifier) -> None:
        """Refuse to decode the features of another network than it learnt from.

        Raises:
            ConfigError: The network has another name or other weights, or takes images
                of another size than the decoder can make.
        """
        _check_network(self.about, classifier, "the decoder")
        own = classifier.spec.input_size
        self._check_size((own, own))

    def _check_size(self, size: tuple[int, int]) -> None:
        top, made = self.design.way[-1], self.about.crop
        if len(top.shape) != 3 and size != (made, made):
            raise ConfigError(
                f"a decoder of {top.name}, whose units have no place, makes images of "
                f"{made}x{made} pixels, not of {size[0]}x{size[1]}: teach one by crops "
                "of that size"
            )

    def images(self, features: Any, size: tuple[int, int] | None = None) -> np.ndarray:
        """Decode images from features: one pass for each.

        Args:
            features: Features of the layer (images, height, width, channels), or
                (images, units).
            size: Height and width of the images that they were computed from, in
                pixels; by default what the network takes.

        Returns:
            Images (images, height, width, channels), float32 in [0, 1].

        Raises:
            ConfigError: The features are not those of the layer at this size.
        """
        design, own = self.design, self.design.classifier.spec.input_size
        size = size or (own, own)
        sizes = design.sizes(size)
        top = design.way[-1]
        place = sizes[-1] if len(top.shape) == 3 else ()
        wanted, found = (*place, top.channels), np.shape(features)[1:]
        if found != wanted:
            raise ConfigError(
                f"features of shape {found}: {top.name} has {wanted} where images have "
                f"{size[0]}x{size[1]} pixels"
            )
        self._check_size(size)

        def make() -> Any:
            def decode(params: Params, scale: Any, x: jax.Array) -> jax.Array:
                x = x.astype(jnp.float32) / scale
                for number in reversed(range(len(design.modules))):
                    x = design.decode(params, number, x, sizes[number])
                return jnp.clip(design.classifier.denormalise(x), min=0, max=1)

            return jax.jit(decode)

        program = design.classifier.memo.get(("decoder", design, size), make)
        scale = np.float32(self.about.scales[-1])
        parts = [
            program(self.params, scale, features[first : first + _AT_ONCE])
            for first in range(0, len(features), _AT_ONCE)
        ]
        return np.concatenate([np.asarray(part) for part in parts])


def write_decoder(path: Path, decoder: Decoder) -> str:
    """Write a decoder as .safetensors; returns the file's sha256."""
    about = decoder.about._asdict()
    about |= {"config": asdict(decoder.about.config), "format": FORMAT}
    state = to_state_dict({"params": jax.device_get(decoder.params)})
    return write_weights(path, state, {_ABOUT: about})


def read_about(path: Path) -> About:
    """Read what a file says of the decoder in it, without its weights.

    Args:
        path: The file, or the folder that `jinv decoder` left.

    Raises:
        WeightsError: The file is missing, broken, or holds no decoder.
    """
    path = _file(path)
    try:
        if kind_of(path) != "safetensors":
            raise ValueError("it is no .safetensors file")
        with safe_open(path, "numpy") as file:
            told = parse_json((file.metadata() or {}).get(ENTRY, "{}"))
        if not isinstance(told, dict) or _ABOUT not in told:
            raise ValueError("it is none, but other weights")
        about = dict(told[_ABOUT])
        if (written := about.pop("format")) != FORMAT:
            raise ValueError(
                f"it is of format {written}, and this version of jinv reads {FORMAT}"
            )
        config = DecoderConfig(**about.pop("config"))
        scales = converted(tuple[Positive, ...], about.pop("scales"), "scales")
        crop = converted(Count, about.pop("crop"), "crop")
        found = About(**about, crop=crop, config=config, scales=scales)
        if not all(isinstance(each, str) for each in found[:3]):
            raise ValueError("it names no network and layer")
        return found
    except OSError as error:
        raise WeightsError(
            f"cannot read the decoder {path}: {error.strerror or error}"
        ) from error
    # What its metadata say may be anything.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WeightsError(
            f"cannot read the decoder {path}: {reason}; `jinv decoder` writes them"
        ) from error


@checked
def load_decoder(path: Path | str, classifier: Classifier) -> Decoder:
    """Load a decoder of a network's layer.

    Args:
        path: File that `jinv decoder` or `learn_decoder` wrote, or their folder.
        classifier: Network whose features it decodes.

    Raises:
        ConfigError: It learnt from another network, or from other weights.
        WeightsError: The file is missing, broken, or holds no decoder.

    Example:
        >>> import tempfile
        >>> import jinv
        >>> network = jinv.load_classifier("cifar10_resnet20")
        >>> config = DecoderConfig(crop=32, width=0.5)
        >>> design = design_decoder(network, "middle1", config)
        >>> about = About(
        ...     network.spec.name, network.checksum, "middle1", 32, config, (1.0, 1.0)
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "decoder.safetensors"
        ...     _ = write_decoder(path, Decoder(design, design.init(0, 32), about))
        ...     decoder = jinv.load_decoder(path, network)
        >>> decoder.layer
        'middle1'
    """
    path = _file(Path(path))
    about = read_about(path)
    _check_network(about, classifier, str(path))
    try:
        design = design_decoder(classifier, about.layer, about.config)
        if len(about.scales) != len(design.way):
            raise ValueError(
                f"{len(about.scales)} scales for the {len(design.way)} stations from "
                f"the image to {about.layer}"
            )
        shapes = jax.eval_shape(lambda: design.init(0, about.crop))
        with safe_open(path, "numpy") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        broken = [name for name, x in state.items() if not np.isfinite(x).all()]
        if broken:
            raise ValueError(f"{broken[0]} has values that are NaN or infinite")
        variables = from_state_dict(state, {"params": shapes}, str(path))
    except JinvError as error:
        raise WeightsError(f"cannot read the decoder {path}: {error}") from error
    except Exception as error:  # the file may be cut off anywhere
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WeightsError(f"cannot read the decoder {path}: {reason}") from error
    params = jax.tree.map(jnp.asarray, variables["params"])
    return Decoder(design, params, about, sha256_of(path))


def _file(path: Path) -> Path:
    """The file itself, where its folder may be given."""
    return path / NAME if path.is_dir() else path


def _check_network(about: About, classifier: Classifier, who: str) -> None:
    name = classifier.spec.name
    if about.network != name:
        raise ConfigError(
            f"{who} decodes {about.layer} of {about.network}, not of {name}: choose "
            "that network, or teach another decoder by `jinv decoder`"
        )
    if about.network_sha256 != classifier.checksum:
        raise ConfigError(
            f"{who} learnt from other weights of {name} (sha256 "
            f"{about.network_sha256[:16]}…): give those, or teach another decoder"
        )
