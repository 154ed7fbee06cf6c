"""Images that are their own parameters."""

from jinv.engine.phase import Image, Split
from jinv.images.pixels import Pixels, clip
from jinv.models.classifier import Classifier


def pixel_image(pixels: Pixels, within: Classifier | None = None) -> Image:
    """Parametrise images by their own pixels, within a classifier's range if given."""

    def project(params: Split) -> Split:
        if within is None:
            return params
        low, high = within.input_range
        return Split(clip(params.own, low, high))

    return Image(
        init=lambda key, index: Split(pixels.init(key, index)),
        render=lambda params, _: params.own,
        finish=lambda params, _: pixels.inner(params.own),
        carry=lambda params: Split(pixels.upsample(params.own)),
        project=project,
    )
