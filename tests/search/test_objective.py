import re
from pathlib import Path

import numpy as np
import pytest

from jinv.errors import ConfigError, DataError
from jinv.metrics.bootstrap import Estimate
from jinv.metrics.extraction import make_extractor
from jinv.metrics.subject import Reference
from jinv.metrics.table import METRICS
from jinv.models.classify import classify
from jinv.search.objective import (
    OBJECTIVES,
    Objective,
    find_objective,
    recognition,
    score,
)

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
        score("diversity", make_extractor(tiny)).check(np.arange(6), 8)


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
