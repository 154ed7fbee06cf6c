"""The chain of views under which units are visualised."""

from jinv.images.views import (
    Per,
    Size,
    View,
    both,
    chain,
    crop,
    pad,
    resize,
    rotate,
    scale,
)

FACTORS = tuple(1 + step / 50 for step in range(-5, 6))
"""Factors of lucid's scale."""

ANGLES = (*map(float, range(-10, 11)), *(0.0,) * 5)
"""Angles of lucid's rotation, in degrees."""


def transforms(
    size: Size,
    margin: int = 12,
    shifts: tuple[int, int] = (8, 4),
    factors: tuple[float, ...] = FACTORS,
    angles: tuple[float, ...] = ANGLES,
    per: Per = "image",
) -> View:
    """Chain the views under which lucid asks for a unit's activation.

    A margin of the mean colour, a shift, a scale, a rotation and another shift: what is
    left under all of them is no accident of single pixels (Olah et al. 2017, "Feature
    Visualization"). The defaults are the library's. Then the image and what is left of
    its margin are brought back to its size, for networks that take no other.

    What does nothing costs nothing: a shift of 0, factors of 1, angles of 0.

    Args:
        size: Size of the images, and of what is seen of them, in pixels.
        margin: Width of the margin, in pixels.
        shifts: Pixels of the canvas, in height and width, that each shift cuts off.
        factors: Factors of the scale; see `scale`.
        angles: Angles of the rotation; see `rotate`.
        per: Whether each image or the whole batch is seen alike.
    """
    height, width = (side + 2 * margin for side in both(size))
    first, all_of_both = shifts[0], sum(shifts)
    left = (height - all_of_both, width - all_of_both)
    views = (
        (pad(margin, "mean"), margin > 0),
        (crop((height - first, width - first), per), first > 0),
        (scale(factors, per), set(factors) - {1.0}),
        (rotate(angles, per), set(angles) - {0.0}),
        (crop(left, per), shifts[1] > 0),
        (resize(size), left != both(size)),
    )
    return chain(*(view for view, used in views if used))
