"""Feature visualisation: images by which units of a network are excited.

Olah et al. 2017, "Feature Visualization".
"""

from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp

from jinv import losses
from jinv.engine.optimizers import Optimizer, Schedule
from jinv.engine.phase import TEACHER, Evaluation, Phase, Procedure, Term
from jinv.errors import ConfigError
from jinv.images.fourier import Parametrisation
from jinv.images.transforms import ANGLES, FACTORS, transforms
from jinv.images.views import Per, View, chain, jitter
from jinv.inversion.groups import Descending
from jinv.inversion.method import Length, Method, Rate, Weight
from jinv.inversion.terms import each_image, used
from jinv.models.classifier import Classifier
from jinv.models.features import check_layers
from jinv.values import Count, NotNegative, Positive, Range, ShareBelow1
from jinv.visualization.starting import octave_sizes, started_image
from jinv.visualization.units import layer_shapes

POSITION = "position"
"""The array that tells of each image at which position its unit is; negative for all.
"""

_DIRECTION = "direction in "


def direction(layer: str) -> str:
    """Name of the array that tells of each image its direction in a layer.

    The direction is 0 for images that ask for nothing there.
    """
    return _DIRECTION + layer


@dataclass(frozen=True, kw_only=True)
class Visualization(Method, Descending):
    """Settings of feature visualisation: images that excite a unit each.

        loss = -⟨φ, d⟩ + w_diversity · similarity

    Olah et al. 2017, "Feature Visualization": `activation` along the direction d of a
    channel, a class or anything else, seen through random transforms. Which unit an
    image is for is data of the program, which all units of its layers share; rates mean
    the same at every batch size. Where a unit sees nothing at all, its image climbs the
    mean of its layer until it does.

    Attributes:
        layers: Layers of the units, or of the directions; `jinv models NAME` lists
            them.
        size: Height and width of the images, in pixels; empty for those of the
            photograph that they start from, else the network's own.
        steps: Updates in each octave.
        octaves: Sizes at which the images are optimised, one after the other.
        octave_scale: Factor between them.
        parametrisation: "fourier", waves of decorrelated colours before a sigmoid; or
            "pixels", levels in [0, 1]. Either is added to where the image starts.
        fourier_decay: Power of the frequency by which waves are divided.
        init_scale: Standard deviation of the parameters in the beginning.
        margin: Width of the mean-coloured margin of the transforms, in pixels; see
            `transforms`.
        shifts: Pixels that the first and the second shift cut off; 0 for none.
        factors: Factors of the scale, of which one is drawn; empty for none.
        angles: Angles of the rotation, of which one is drawn, in degrees; empty for
            none.
        roll: Largest shift that lets what leaves on one side re-enter on the other.
        per: Whether each "image" or the whole "batch" is transformed alike.
        per_unit: Images of each unit, neighbours in a batch.
        w_diversity: Weight of the mean cosine of Gram matrices of a unit's images.
        diversity_layer: Layer of these matrices; empty for that of the units.
    """

    layers: tuple[str, ...] = ()
    size: tuple[Count, ...] = ()
    lr: Rate = 0.05
    optimizer: Optimizer = "adam"
    betas: tuple[ShareBelow1, ShareBelow1] = (0.9, 0.999)
    schedule: Schedule = "constant"
    steps: Count = 512
    octaves: Count = 1
    octave_scale: Annotated[float, Range(over=1)] = 1.4
    parametrisation: Parametrisation = "fourier"
    fourier_decay: NotNegative = 1.0
    init_scale: NotNegative = 0.01
    margin: Length = 12
    shifts: tuple[Length, Length] = (8, 4)
    factors: tuple[Positive, ...] = FACTORS
    angles: tuple[float, ...] = ANGLES
    roll: Length = 0
    per: Per = "image"
    per_unit: Count = 1
    w_diversity: Weight = 0.0
    diversity_layer: str = ""

    def extent(self, classifier: Classifier) -> tuple[int, int]:
        """Height and width of the images, in pixels.

        Raises:
            ConfigError: The size is not of two numbers.
        """
        own = classifier.spec.input_size
        size = self.size or (own, own)
        if len(size) != 2:
            raise ConfigError(
                f"size: expected height and width, e.g. {own},{own}, found {size}"
            )
        return size

    def joined(self, e: Evaluation, values: jax.Array) -> jax.Array:
        """Let each image go down its own loss; see `Method.joined`."""
        return each_image(e, values)

    def procedure(self, classifier: Classifier) -> Procedure:
        """What the engine is to do with each batch; see `Method.procedure`."""
        _check(self, classifier)
        wanted = (
            self.objective(classifier),
            *used(self, *self._diversity(classifier)),
        )
        sizes = octave_sizes(self.extent(classifier), self.octaves, self.octave_scale)
        return Procedure(tuple(self._phase(classifier, size, wanted) for size in sizes))

    def objective(self, classifier: Classifier) -> Term:
        """Make the term that asks for the units, or for whatever images are to have."""
        asks = (POSITION, *map(direction, self.layers))
        shapes = layer_shapes(classifier, self.extent(classifier))

        def value(e: Evaluation) -> jax.Array:
            seen = e.seen[TEACHER].features
            found = [
                losses.activation(
                    seen[layer].astype("float32"),
                    e.asked[direction(layer)],
                    _in_octave(e.asked[POSITION], shapes[layer], seen[layer].shape[1:]),
                )
                for layer in self.layers
            ]
            return each_image(e, -_awake(self.layers, e, sum(found[1:], found[0])))

        return Term("activation", value, asks=asks)

    def _diversity(self, classifier: Classifier) -> tuple[Term, ...]:
        if not self.w_diversity:
            return ()
        layer = _diversity_layer(self, classifier)

        def value(e: Evaluation) -> jax.Array:
            features = e.seen[TEACHER].features[layer].astype("float32")
            return each_image(e, losses.gram_similarity(features, self.per_unit))

        return (Term("similarity", value, "w_diversity"),)

    def _phase(
        self, classifier: Classifier, size: tuple[int, int], wanted: tuple[Term, ...]
    ) -> Phase:
        layer_shapes(classifier, size)  # refuses sizes that the network does not take
        return Phase(
            image=started_image(
                classifier,
                size,
                self.parametrisation,
                self.init_scale,
                self.fourier_decay,
            ),
            view=self._view(size),
            wanted=wanted,
            descent=self.descent(self.steps, *self.updates(self.steps)),
        )

    def _view(self, size: tuple[int, int]) -> View:
        rolled = (jitter(self.roll, self.per),) * (self.roll > 0)
        shown = transforms(
            size, self.margin, self.shifts, self.factors, self.angles, self.per
        )
        return chain(*rolled, shown)


def _in_octave(
    positions: jax.Array, whole: tuple[int, ...], octave: tuple[int, ...]
) -> jax.Array:
    """Positions (batch, 2) in the map of a smaller octave: as far down and across."""
    if len(whole) < 3 or whole == octave:
        return positions
    sides, shown = jnp.array([whole[:2]]), jnp.array([octave[:2]])
    return jnp.where(positions < 0, positions, positions * shown // sides)


def _awake(layers: tuple[str, ...], e: Evaluation, activations: jax.Array) -> jax.Array:
    """Activations (batch,), or where they are 0, the mean of all of the unit's layer.

    Behind a nonlinearity half of the units see nothing in noise, and no gradient leads
    to what they want to see. Something in which the layer sees a lot wakes them.
    """
    whole = jnp.zeros_like(activations)
    for layer in layers:
        features = e.seen[TEACHER].features[layer].astype("float32")
        mean = features.reshape(len(features), -1).mean(-1)
        whole += jnp.where((e.asked[direction(layer)] > 0).any(-1), mean, 0)
    return jnp.where(activations == 0, whole, activations)


def _check(config: Visualization, classifier: Classifier) -> None:
    check_layers(classifier, config.layers)
    if config.w_diversity and config.per_unit < 2:
        raise ConfigError(
            "w_diversity compares the images of a unit: give --per-unit 2 or more"
        )
    height, width = config.extent(classifier)
    least = min(octave_sizes((height, width), config.octaves, config.octave_scale)[0])
    cut = sum(config.shifts) - 2 * config.margin
    if 0 < cut and cut >= least:
        raise ConfigError(
            f"shifts cut {cut} pixels off {least}: take smaller ones, a wider margin, "
            "or fewer octaves"
        )


def _diversity_layer(config: Visualization, classifier: Classifier) -> str:
    """The layer whose Gram matrices are compared.

    Raises:
        ConfigError: It has no positions, or there are several.
    """
    given = config.diversity_layer
    layer, *others = (given,) if given else config.layers
    check_layers(classifier, [layer])
    if others:
        raise ConfigError(
            f"units of {', '.join(config.layers)} are compared in one layer: give "
            "--diversity-layer"
        )
    if len(classifier.feature_shapes[layer]) != 3:
        raise ConfigError(
            f"{layer} has no positions, so that nothing goes together there: give "
            "--diversity-layer"
        )
    return layer
