"""A learned prior: a form, its numbers, and a card that tells where they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jinv.errors import ConfigError
from jinv.levels import from_uint8
from jinv.memo import Memo
from jinv.models.classifier import Classifier
from jinv.priors.energy import STRIDE, Variables, energy, score
from jinv.priors.form import COLOURS, Form
from jinv.values import shown


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Prior:
    """What images, or the features of a layer of a network, usually look like.

    Programs take `form` as it is, and `variables` as an argument: see
    `jinv.priors.energy`.

    Attributes:
        form: Form of the prior, which can be hashed.
        variables: Arrays of the prior, by name.
        card: Card: data, patches, seed, objective, whitening, measurements, as JSON.
        path: File that it was read from or written to, if any.
        sha256: Checksum of that file.

    Example:
        >>> import numpy as np
        >>> from jinv.priors.form import Form, Subject
        >>> variables = {
        ...     "filters": np.ones((1, 1, 2, 1), np.float32) * [[[[1], [-1]]]],
        ...     "offsets": np.zeros(1), "alphas": np.ones(1),
        ...     "mean": np.zeros(()), "deviation": np.ones(()),
        ... }
        >>> prior = Prior(Form(Subject(1), 1, 2), variables)
        >>> stripes = np.broadcast_to(np.arange(4.0) % 2, (1, 4, 4))[..., None]
        >>> round(float(prior.energy(stripes)[0]), 2)
        0.41
    """

    form: Form
    variables: Variables
    card: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None
    sha256: str = ""

    def __repr__(self) -> str:
        """A line for people, without the numbers."""
        return f"<Prior: {self.form}, {self.sha256[:8] or 'from no file'}>"

    @property
    def layer(self) -> str:
        """Layer whose features it is of; "" where it is of images."""
        return self.form.subject.layer

    @property
    def name(self) -> str:
        """What it is called in logs and on pages: by its file, or by what it is of.

        `jinv prior` calls all files alike, and each has a folder of its own.
        """
        if not self.path:
            return self.layer or str(self.form.subject)
        alike = self.path.stem == "prior"
        return self.path.resolve().parent.name if alike else self.path.stem

    def energy(
        self,
        values: Any,
        shifts: jax.Array | None = None,
        stride: int = STRIDE,
    ) -> jax.Array:
        """Mean energy of the patches of each image; see `jinv.priors.energy.energy`.

        Raises:
            ConfigError: The values are not what the prior is of.
        """
        values = self._taken(values)
        program = self.memo.get(
            ("energy", stride), lambda: jax.jit(energy, static_argnums=(0, 4))
        )
        return program(self.form, self.variables, values, shifts, stride)

    def score(self, values: Any) -> jax.Array:
        """Gradient of the log density; see `jinv.priors.energy.score`.

        Raises:
            ConfigError: The values are not what the prior is of.
        """
        values = self._taken(values)
        program = self.memo.get("score", lambda: jax.jit(score, static_argnums=0))
        return program(self.form, self.variables, values)

    def _taken(self, values: Any) -> jax.Array:
        """Values as the prior takes them: uint8 as floats in [0, 1]."""
        found, form = from_uint8(jnp.asarray(values)), self.form
        channels = form.subject.channels
        if found.ndim != 4 or found.shape[-1] != channels:
            raise ConfigError(
                f"{self._words} is of {form.subject}: expected an array (images, "
                f"height, width, {channels}), found {shown(values)}"
            )
        form.check_room(found.shape, self._words)
        return found

    def check_images(self, channels: int, whose: str = "these images") -> None:
        """Refuse to be used on images that it is not of.

        Args:
            channels: Number of channels of the images.
            whose: Words for whose images they are.

        Raises:
            ConfigError: The prior is of features, or of another colour space.
        """
        subject = self.form.subject
        if self.layer:
            raise ConfigError(f"{self._words} is of {subject}: expected one of images")
        if channels != subject.channels:
            raise ConfigError(
                f"{self._words} is of {subject}, and {whose} are "
                f"{COLOURS.get(channels, f'of {channels} channels')}: learn one of "
                "such images"
            )

    def check_network(self, classifier: Classifier) -> None:
        """Refuse to be used with a network whose images or features it is not of.

        Args:
            classifier: Network whose inputs, or whose features, it is to judge.

        Raises:
            ConfigError: It is of a layer of another network or of other weights, or of
                images in another colour space, or its patches do not fit.
        """
        subject, spec = self.form.subject, classifier.spec
        if not self.layer:
            self.check_images(spec.channels, f"those of {spec.name}")
            shape = (spec.input_size, spec.input_size, spec.channels)
        else:
            if classifier.checksum != subject.sha256:
                raise ConfigError(
                    f"{self._words} is of {subject} with weights "
                    f"{subject.sha256[:8]}…, not of {spec.name} with "
                    f"{classifier.checksum[:8]}…: learn one of this network"
                )
            shape = classifier.feature_shapes.get(self.layer, ())
            if len(shape) != 3 or shape[-1] != subject.channels:
                raise ConfigError(
                    f"{self._words} is of {subject}, {subject.channels} channels; "
                    f"here that layer is of shape {shape}"
                )
        if shape[0] < self.form.height or shape[1] < self.form.width:
            raise ConfigError(
                f"{self._words} looks at {self.form.height}x{self.form.width}: more "
                f"than the {shape[0]}x{shape[1]} that {spec.name} has there"
            )

    def values_of(
        self, classifier: Classifier, inputs: jax.Array, features: Mapping[str, Any]
    ) -> jax.Array:
        """What it is to judge, of all that is known of some inputs.

        Args:
            classifier: Network that was checked.
            inputs: Inputs of the network (batch, height, width, channels), normalised.
            features: Features of them by layer, as of `Classifier.features`.

        Returns:
            Features of its layer; or images in [0, 1], if they are within range.
        """
        if self.layer:
            return features[self.layer]
        return classifier.denormalise(inputs)

    @cached_property
    def memo(self) -> Memo:
        """Memo of programs."""
        return Memo()

    @property
    def _words(self) -> str:
        return f"the prior {self.path}" if self.path else "the prior"
