import json
import math
from pathlib import Path

import numpy as np
import pytest
from photographs import scene, spoilt

from jinv.errors import DataError
from jinv.metrics.fidelity import fidelity
from jinv.metrics.ssim import structural_similarity

RECORDED = json.loads(
    (Path(__file__).parent / "recorded" / "similarity.json").read_text()
)
PHOTOGRAPH = scene()
SPOILT = np.stack(list(spoilt(PHOTOGRAPH).values()))
TARGETS = np.stack([PHOTOGRAPH] * len(SPOILT))


def test_errors_are_those_of_their_formulas():
    for found, image in zip(fidelity(SPOILT, TARGETS), SPOILT, strict=True):
        mse = np.mean((image - PHOTOGRAPH) ** 2)
        assert found.mse == pytest.approx(mse, rel=1e-12)
        assert found.psnr == pytest.approx(10 * math.log10(1 / mse), rel=1e-12)


@pytest.mark.parametrize(("kind", "channels"), [("colour", 3), ("grey", 1)])
def test_ssim_is_that_of_scikit_image(kind, channels):
    photograph = scene(channels=channels)
    for name, image in spoilt(photograph).items():
        found = structural_similarity(image[None], photograph[None]).ssim.item()
        assert found == pytest.approx(RECORDED["ssim"][kind][name], abs=1e-9), name


def test_ssim_has_the_three_parts_of_the_paper():
    """Computed window by window, as eqs. 6, 9, 10 and 14 to 16 are written."""
    x, y = PHOTOGRAPH[:13, :12, :1], SPOILT[0, :13, :12, :1]
    at = np.arange(11) - 5
    weights = np.exp(-(at[:, None] ** 2 + at**2) / (2 * 1.5**2))[..., None]
    weights /= weights.sum()
    parts = []
    for row in range(3):
        for column in range(2):
            place = np.s_[row : row + 11, column : column + 11]
            mx, my = (weights * x[place]).sum(), (weights * y[place]).sum()
            dx, dy = x[place] - mx, y[place] - my
            sx, sy = (np.sqrt((weights * d**2).sum()) for d in (dx, dy))
            sxy = (weights * dx * dy).sum()
            luminance = (2 * mx * my + 0.01**2) / (mx**2 + my**2 + 0.01**2)
            contrast = (2 * sx * sy + 0.03**2) / (sx**2 + sy**2 + 0.03**2)
            structure = (sxy + 0.03**2 / 2) / (sx * sy + 0.03**2 / 2)
            whole = luminance * contrast * structure
            parts.append((whole, luminance, contrast, structure))
    found = structural_similarity(x[None], y[None])
    np.testing.assert_allclose(np.ravel(found), np.mean(parts, 0), rtol=1e-10)


def test_each_part_hears_its_own_kind_of_fault():
    found = dict(zip(spoilt(PHOTOGRAPH), fidelity(SPOILT, TARGETS), strict=True))
    assert found["paler"].structure == pytest.approx(1)
    assert found["paler"].contrast < 0.7
    assert found["inverted"].contrast == pytest.approx(1)
    assert found["inverted"].structure < 0
    darker = fidelity(0.5 + 0 * TARGETS[:1], 0.25 + 0 * TARGETS[:1])[0]
    assert darker.luminance == pytest.approx(0.8, abs=1e-3)
    assert darker.contrast == darker.structure == 1


def test_an_image_that_is_its_target_is_told_so():
    found = fidelity(TARGETS[:1], TARGETS[:1])[0]
    assert (found.mse, found.psnr) == (0, math.inf)
    parts = found.ssim, found.luminance, found.contrast, found.structure
    assert parts == pytest.approx((1, 1, 1, 1), abs=1e-12)


def test_images_do_not_depend_on_each_other_nor_on_which_is_the_target():
    together = fidelity(SPOILT, TARGETS)
    alone = [fidelity(x[None], PHOTOGRAPH[None])[0] for x in SPOILT]
    assert together == alone == fidelity(TARGETS, SPOILT)


def test_bytes_and_floats_of_any_precision_are_the_same():
    images, targets = np.rint(255 * SPOILT), np.rint(255 * TARGETS)
    of_bytes = fidelity(images.astype(np.uint8), targets.astype(np.uint8))
    of_floats = fidelity(np.float32(images / 255), targets / 255)
    for one, other in zip(of_bytes, of_floats, strict=True):
        assert one.psnr == pytest.approx(other.psnr, rel=1e-5)
        assert one.ssim == pytest.approx(other.ssim, rel=1e-5)


@pytest.mark.parametrize(
    ("images", "targets", "message"),
    [
        (SPOILT, TARGETS[:2], "one target of its own size"),
        (SPOILT, TARGETS[:, :, :20], "one target of its own size"),
        (SPOILT[0], TARGETS[0], r"images: expected shape .*, found \(40, 33, 3\)"),
        (SPOILT[:0], TARGETS[:0], "images: expected shape"),
        (SPOILT[..., :2], TARGETS[..., :2], "3 channels, or 1 where grey"),
        (SPOILT[:, :10], TARGETS[:, :10], "at least 11x11 pixels, found 10x33"),
        (255 * SPOILT, TARGETS, "images: expected bytes .* found float64 from 0 to"),
        (SPOILT, TARGETS - 0.5, "targets: expected bytes .* or floats in 0..1"),
        (SPOILT, TARGETS * np.nan, "targets: expected bytes .* from nan to nan"),
        (SPOILT, TARGETS.astype(int), "targets: expected bytes .* found int64"),
    ],
)
def test_what_are_no_pairs_of_images_is_refused(images, targets, message):
    with pytest.raises(DataError, match=message) as refused:
        fidelity(images, targets)
    assert "\n" not in str(refused.value)


def test_rounding_beyond_black_and_white_is_borne():
    white = np.ones((1, 16, 16, 3))
    assert fidelity(white + 1e-6, white)[0].psnr > 100
