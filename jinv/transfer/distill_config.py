"""Settings of a student's lessons with its teacher."""

from dataclasses import dataclass, replace
from typing import Literal, Self

from jinv.checked import Checked
from jinv.engine.precision import Precision
from jinv.engine.rounds import whole_rounds
from jinv.values import Count, Natural, NotNegative, Positive, Seed, ShareBelow1

Match = Literal["divergence", "mse", "l1"]


@dataclass(frozen=True)
class DistillConfig(Checked):
    """How a student learns from a teacher's answers: by stochastic gradient descent.

        loss = match(teacher, student) + w_hints hints + w_labels CE(student, label)

    Both networks see the same random view of an image, the teacher as in use, the
    student as in training.

    Attributes:
        steps: Updates of the student.
        batch_size: Images in an update.
        match: "divergence" (T² KL, see `softened_divergence`), "mse" or "l1" of the
            logits.
        temperature: T of the divergence.
        w_hints: Weight of the differences of the stages' features, see `hint_loss`; 0
            for answers alone. Counts only where both networks have stages of one size.
        w_labels: Weight of the cross-entropy of the images' labels.
        lr: Highest learning rate; reached by a linear warm-up, left by a cosine.
        warmup: Updates of warm-up.
        momentum: Share of the last update that goes into the next.
        nesterov: Look ahead by the momentum (Sutskever et al. 2013).
        max_norm: Largest norm of a step's gradient, to which longer ones are cut; 0
            for any.
        weight_decay: Added to the gradients of kernels (not of BatchNorm or biases).
        margin: Reflected pixels around an image before a full-size crop.
        flip: Mirror half of the images; digits must not be.
        collage: Most pieces of other images that are laid on each, see `collage`.
        round_steps: Updates between two batches of new images; where the images are
            there already, between two looks at the student.
        precision: Type of the student's activations; "auto": bfloat16 on accelerators.
            The teacher keeps its own, which `jinv distill` makes the same.
        seed: Seed of the student's initialisation, the order and the views.

    Example:
        >>> DistillConfig(steps=1000, round_steps=10).rounds
        100
    """

    steps: Count = 4000
    batch_size: Count = 64
    match: Match = "divergence"
    temperature: Positive = 4.0
    w_hints: NotNegative = 1.0
    w_labels: NotNegative = 0.0
    lr: Positive = 0.1
    warmup: Natural = 0
    momentum: ShareBelow1 = 0.9
    nesterov: bool = False
    max_norm: NotNegative = 2.0
    weight_decay: NotNegative = 1e-4
    margin: Natural = 4
    flip: bool = True
    collage: Natural = 6
    round_steps: Count = 50
    precision: Precision = "auto"
    seed: Seed = 0

    @property
    def rounds(self) -> int:
        """Number of rounds, of a configuration that is `whole`."""
        return self.steps // self.round_steps

    def whole(self) -> Self:
        """Make rounds no longer than all steps together.

        Raises:
            ConfigError: The steps make no whole rounds.
        """
        return replace(self, round_steps=whole_rounds(self.steps, self.round_steps))
