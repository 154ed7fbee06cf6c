"""Settings of a training."""

from dataclasses import dataclass

from jinv.checked import Checked
from jinv.engine.precision import Precision
from jinv.values import Count, Natural, NotNegative, Positive, Seed, ShareBelow1


@dataclass(frozen=True)
class TrainConfig(Checked):
    """How a classifier is trained: by stochastic gradient descent.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images in a step.
        lr: Highest learning rate; reached by a linear warm-up, left by a cosine.
        warmup_epochs: Epochs of warm-up; of few epochs no more than two thirds.
        momentum: Share of the last update that goes into the next.
        nesterov: Look ahead by the momentum (Sutskever et al. 2013).
        weight_decay: Added to the gradients of kernels (not of BatchNorm or biases).
        label_smoothing: Probability spread evenly over all classes.
        crops: Pairs (size in pixels, epochs): small random crops early make an epoch
            cheap. Epochs beyond the listed ones use the full size.
        flip: Mirror half of the images; digits must not be.
        margin: Reflected pixels around an image before a full-size crop.
        precision: Type of the activations; "auto": bfloat16 on accelerators.
        seed: Seed of the initialisation, the order and the augmentation.

    Example:
        >>> config = TrainConfig(epochs=30, crops=((16, 2),))
        >>> config.crop(1), config.crop(2)
        (16, None)
    """

    epochs: Count = 100
    batch_size: Count = 128
    lr: Positive = 0.1
    warmup_epochs: NotNegative = 2.0
    momentum: ShareBelow1 = 0.9
    nesterov: bool = True
    weight_decay: NotNegative = 5e-4
    label_smoothing: ShareBelow1 = 0.0
    crops: tuple[tuple[Count, Count], ...] = ()
    margin: Natural = 4
    flip: bool = True
    precision: Precision = "auto"
    seed: Seed = 0

    def warmup(self, steps: int) -> int:
        """Steps of the warm-up, where an epoch has so many."""
        most = self.epochs * steps * 2 // 3
        return min(round(self.warmup_epochs * steps), most)

    def crop(self, epoch: int) -> int | None:
        """Height and width of an epoch's crops, in pixels; None for all there is."""
        for size, epochs in self.crops:
            if epoch < epochs:
                return size
            epoch -= epochs
        return None
