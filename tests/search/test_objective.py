import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jinv.errors import ConfigError, DataError
from jinv.metrics.bootstrap import Estimate
from jinv.metrics.extraction import make_extractor
from jinv.metrics.fidelity import fidelity
from jinv.metrics.subject import Reference
from jinv.metrics.table import METRICS
from jinv.models.classify import classify
from jinv.reconstruction.photographs import PhotographRequest
from jinv.search.objective import (
    OBJECTIVES,
    Objective,
    find_objective,
    recognition,
    score,
)
from jinv.search.reconstruction import reconstruction

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 8, 8, 3), np.uint8)


def test_recognition_is_the_share_of_images_given_their_class(tiny):
    objective = recognition(tiny, tiny.spec.classes)
    seen = classify(tiny, IMAGES).argmax(-1)
    assert objective.estimate(IMAGES, seen).value == 1
    wrong = np.concatenate([seen[:9], (seen[9:] + 1) % 6])
    found = objective.estimate(IMAGES, wrong)
    assert found.value == 0.75 and found.low < 0.75 < found.high


def test_any_metric_can_be_an_objective(tiny):
    extractor = make_extractor(tiny)
    real = RNG.normal(size=(20, tiny.feature_shapes[extractor.feature][-1]))
    labels = np.arange(12) % 6
    fid = score("fid", extractor, Reference.of(real), {"real": "set.npz"})
    assert fid.estimate(IMAGES, labels).value > 0
    assert fid.is_better(1.0, 2.0) and fid.basis["real"] == "set.npz"
    diversity = score("diversity", extractor)
    assert 0 < diversity.estimate(IMAGES, labels).value < 2
    assert diversity.is_better(2.0, 1.0)


def test_what_cannot_be_had_of_so_few_images_is_found_out_at_once(tiny):
    with pytest.raises(ConfigError, match="cannot be had of 6 images: .*two images"):
        score("diversity", make_extractor(tiny)).check((6, 8, 8, 3), np.arange(6))


def test_a_value_must_be_a_number():
    nothing = Objective("fid", METRICS["fid"], {}, lambda *_: Estimate(float("nan")))
    with pytest.raises(DataError, match="fid is nan"):
        nothing.estimate(IMAGES, np.zeros(12))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fit", "did you mean fid?"),
        ("top1", "needs a judge: --judge MODEL"),
        ("coverage", "needs real images: --real"),
    ],
)
def test_what_an_objective_lacks_is_said(name, message):
    with pytest.raises(ConfigError) as error:
        find_objective(name, ())
    assert message in str(error.value)


def test_help_names_every_objective():
    import jinv.cli.search_objective as command

    text = Path(command.__file__).read_text()
    options = text[text.index("class ObjectiveOptions") : text.index("real: str")]
    assert set(OBJECTIVES) <= set(re.findall(r"[\w/]+", options))


@pytest.fixture(scope="module")
def request_of(tiny):
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
    spec = replace(tiny.spec, input_size=16)
    names = tuple(map(str, range(3)))
    network = replace(tiny, spec=spec)
    return PhotographRequest(network, images, names, ("stage1", "stage2"))


def test_reconstructions_are_compared_with_their_photographs(request_of):
    photographs = request_of.photographs
    images = np.clip(photographs.astype(int) + 20, 0, 255).astype(np.uint8)
    one = images[:2], np.zeros(0)
    psnr = reconstruction("psnr", request_of)
    expected = np.mean([each.psnr for each in fidelity(images[:2], photographs[:2])])
    assert psnr.estimate(*one).value == pytest.approx(expected)
    assert psnr.is_better(20.0, 10.0)
    features = reconstruction("relative_squared_error", request_of)
    own, known = request_of.features(images), request_of.features(photographs)
    errors = [
        np.sum((own[layer][n] - known[layer][n]) ** 2) / np.sum(known[layer][n] ** 2)
        for layer in ("stage1", "stage2")
        for n in range(2)
    ]
    assert features.estimate(*one).value == pytest.approx(np.mean(errors))
    assert not features.is_better(20.0, 10.0)


def test_errors_of_reconstructions_that_cannot_be_had_are_refused(request_of):
    with pytest.raises(ConfigError, match="did you mean psnr"):
        reconstruction("psmr", request_of)
    with pytest.raises(ConfigError, match="cannot be had of 2 images"):
        reconstruction("ssim", request_of).check((2, 8, 8, 3), np.zeros(0))
