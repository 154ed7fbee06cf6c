"""Random shapes that lie on images: what dead leaves and collages are cut by."""

from typing import Any, NamedTuple


class Shapes(NamedTuple):
    """Superellipses, one for each image; every field is (images, 1, 1), NumPy or JAX.

    Attributes:
        y: Height of the middle; images reach from -1 to 1.
        x: The same across.
        cos: Cosine of the angle by which the shape is turned.
        sin: Sine of the angle.
        radius: Half of the longer axis.
        aspect: Shorter axis, as a share of the longer.
        power: 1 for a rhombus, 2 for an ellipse, many for a rectangle.
    """

    y: Any
    x: Any
    cos: Any
    sin: Any
    radius: Any
    aspect: Any
    power: Any


POWERS = 1.0, 2.0, 2.0, 8.0
"""Powers that are drawn, each as often as it stands here."""


def largest_radius(number: int) -> float:
    """The largest radius of an image's shape of this number: later ones are smaller."""
    return 0.9 / (1 + number) ** 0.4


def spread(number: int) -> float:
    """How far from an image's middle that of its shape may lie: the first do not."""
    return 0.5 if number < 3 else 1.0


def distances(shapes: Shapes, y: Any, x: Any) -> Any:
    """Tell how far pixels are from the middle of a shape; at its border it is 1.

    Args:
        shapes: Shapes of the images.
        y: Heights of the pixels, (1, height, 1).
        x: The same across, (1, 1, width).

    Returns:
        Distances (images, height, width).
    """
    down, right = y - shapes.y, x - shapes.x
    along = abs(right * shapes.cos + down * shapes.sin) / shapes.radius
    across = abs(down * shapes.cos - right * shapes.sin)
    across = across / (shapes.radius * shapes.aspect)
    return (along**shapes.power + across**shapes.power) ** (1 / shapes.power)
