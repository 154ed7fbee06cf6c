"""Measures of a reconstruction: what each is called and means, for tables and pages.

They compare an image with its own target. Metrics of whole sets are in
`jinv.metrics.table`.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Measure:
    """A number that says how near a reconstruction is to its target.

    Attributes:
        title: Title of the measure.
        better: Whether lower or higher is better.
        unit: Unit of the value, or "".
        about: Meaning of the value.
    """

    title: str
    better: Literal["lower", "higher"]
    unit: str
    about: str


LPIPS = "lpips"
MEASURES = {
    "relative_squared_error": Measure(
        "‖Φ - Φ₀‖² / ‖Φ₀‖²",
        "lower",
        "",
        "Squared distance of the features over the squared length of those asked for: "
        "the loss of Mahendran & Vedaldi 2015 and 2016",
    ),
    "relative_error": Measure(
        "‖Φ - Φ₀‖ / ‖Φ₀‖",
        "lower",
        "",
        "Root of the same, which the tables of 2016 print",
    ),
    "distance_over_pairwise": Measure(
        "‖Φ - Φ₀‖ / N",
        "lower",
        "",
        "Distance of the features over the mean distance of two targets, which the "
        "tables of 2015 print",
    ),
    "mse": Measure(
        "MSE", "lower", "", "Mean squared error of brightness in [0, 1], over channels"
    ),
    "psnr": Measure(
        "PSNR", "higher", "dB", "Peak signal-to-noise ratio, -10 log10(MSE)"
    ),
    "ssim": Measure(
        "SSIM",
        "higher",
        "",
        "Structural similarity (Wang et al. 2004): Gaussian window of 11 pixels, mean "
        "over channels; at every place the product of the next three",
    ),
    "luminance": Measure("luminance", "higher", "", "Agreement of local means"),
    "contrast": Measure("contrast", "higher", "", "Agreement of local deviations"),
    "structure": Measure("structure", "higher", "", "Local correlation"),
    LPIPS: Measure(
        "LPIPS",
        "lower",
        "",
        "How different a network of another family says they look (Zhang et al. 2018)",
    ),
}
"""All measures by name, in the order in which people read them."""
