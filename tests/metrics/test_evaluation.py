from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jinv.data.labelled import ArrayImages
from jinv.metrics.evaluation import measure
from jinv.metrics.extraction import Extracted, extract, make_extractor
from jinv.metrics.judge import make_judge, per_class
from jinv.metrics.subject import Reference
from jinv.metrics.table import METRICS
from jinv.models.loading import load_classifier

RNG = np.random.default_rng(0)
BATCH_METRICS = {n for n, metric in METRICS.items() if "batch numbers" in metric.needs}


def seen(features, labels=None, logits=(), batches=None):
    count = len(features)
    labels = np.arange(count) % 3 if labels is None else np.asarray(labels)
    own = RNG.normal(size=(count, 6))
    judged = [own, *logits]
    return Extracted(np.arange(count), labels, {"f": features}, judged, [], batches)


@pytest.fixture
def reference():
    return Reference.of(RNG.normal(size=(60, 4)))


def test_every_metric_is_measured(reference):
    found = measure(seen(RNG.normal(size=(40, 4))), "f", reference)
    assert list(found.estimates) == [
        "fid", "precision", "recall", "density", "coverage", "f_8", "f_1/8",
        "inception_score", "diversity",
    ]  # fmt: skip
    assert found.counts["precision"] == 40 and not found.warnings
    interval = found.estimates["precision"]
    assert interval.low <= interval.value <= interval.high


def test_without_real_images_the_others_are_measured():
    found = measure(seen(RNG.normal(size=(40, 4))), "f")
    assert list(found.estimates) == ["inception_score", "diversity"]
    assert found.prd is None


def test_too_few_images_cost_only_the_metrics_that_need_more(reference):
    found = measure(seen(RNG.normal(size=(5, 4))), "f", reference)
    assert "fid" in found.estimates and "diversity" in found.estimates
    assert "precision" not in found.estimates and "f_8" not in found.estimates
    text = "\n".join(found.warnings)
    assert "needs at least 6 samples, got 5" in text
    assert "needs at least 20 samples, got 5" in text


def test_fewer_images_than_features_are_a_warning(reference):
    found = measure(seen(RNG.normal(size=(4, 4))), "f", reference)
    assert "4 images are too few to estimate a covariance of 4" in found.warnings[0]
    assert np.isfinite(found.estimates["fid"].value)


def test_sets_of_different_sizes_are_compared_at_the_smaller_one(reference):
    found = measure(seen(RNG.normal(size=(500, 4))), "f", reference)
    assert found.counts["recall"] == 60 and found.counts["fid"] == 500


def test_batches_are_compared_where_a_set_tells_them():
    features = np.repeat(RNG.normal(size=(6, 4)), 5, axis=0)
    labels, batches = np.zeros(30, int), np.arange(30) // 5
    found = measure(seen(features, labels, batches=batches), "f").estimates
    assert found["diversity_within"].value == pytest.approx(0, abs=1e-9)
    assert found["diversity_ratio"].value == pytest.approx(0, abs=1e-9)
    assert found["diversity_between"].value > found["diversity"].value > 0.1


def test_a_single_batch_is_compared_with_nothing():
    one = seen(RNG.normal(size=(40, 4)), batches=np.zeros(40, int))
    found = measure(one, "f")
    assert not BATCH_METRICS & found.estimates.keys() and not found.warnings


def test_batches_without_pairs_are_a_warning():
    spread = seen(RNG.normal(size=(6, 4)), batches=np.arange(6))
    found = measure(spread, "f")
    assert "diversity" in found.estimates
    assert not BATCH_METRICS & found.estimates.keys()
    assert "no class has two images of one batch" in found.warnings[-1]


def test_a_judge_is_asked_about_the_classes_it_knows(tiny):
    classes = ("fish", "apple", "zebra")
    judge = make_judge(tiny, classes)
    np.testing.assert_array_equal(judge.translation, [5, 0, -1])
    logits = np.eye(6)[[5, 0, 5, 3]]
    labels = [0, 1, 2, 0]
    found = measure(seen(np.eye(4), labels, [logits]), "f", judges=[judge])
    assert found.estimates["top1:tiny"].value == pytest.approx(2 / 3)
    assert found.counts["top1:tiny"] == 3
    assert "1 images are of 1 classes that tiny does not know" in found.warnings[0]


def test_a_judge_that_knows_no_class_is_a_warning(tiny):
    judge = make_judge(tiny, ("zebra", "gnu", "emu"))
    found = measure(seen(np.eye(4), logits=[np.eye(6)[:4]]), "f", judges=[judge])
    assert "top1:tiny" not in found.estimates and "diversity" in found.estimates
    assert any(
        "no images of classes that the network knows" in w for w in found.warnings
    )


def test_classes_one_by_one(tiny):
    judge = make_judge(tiny, tiny.spec.classes)
    logits = np.eye(6)[[0, 1, 1, 3]] + 0.5 * np.eye(6)[[1, 0, 0, 2]]
    table, counts, names = per_class(
        judge, logits, np.array([0, 0, 1, 2]), tiny.spec.classes
    )
    assert table["apple"] == {"images": 2, "top1": 0.5, "top5": 1.0}
    assert table["cat"]["top1"] == 0.0
    assert names == ["apple", "boat", "cat", "dog"]
    np.testing.assert_array_equal(
        counts, [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    )


RECORDED = Path(__file__).with_name("recorded")


def recorded(name):
    """Images and labels of a sheet with a line for each class."""
    sheet = np.asarray(Image.open(RECORDED / f"{name}.webp"))
    rows = sheet.reshape(10, 32, -1, 32, 3).transpose(0, 2, 1, 3, 4)
    return ArrayImages(
        rows.reshape(-1, 32, 32, 3), np.repeat(np.arange(10), rows.shape[1])
    )


LADDER = ("real_test", "inversion", "prior_only", "noise")


@pytest.fixture(scope="module")
def ladder():
    """Sets from best to worst, by an early feature of the network that was inverted.

    Its last features would not do: inversion matches their statistics better than fifty
    real images have them.
    """
    extractor = make_extractor(load_classifier("cifar10_resnet20"), "stage2")
    real = extract(recorded("real_train"), extractor)
    reference = Reference.of(real.features["stage2"])
    noise = np.random.default_rng(0).integers(0, 256, (50, 32, 32, 3), np.uint8)
    sets = {name: recorded(name) for name in LADDER[:3]}
    sets["noise"] = ArrayImages(noise, np.repeat(np.arange(10), 5))
    return {
        name: measure(extract(data, extractor), "stage2", reference).estimates
        for name, data in sets.items()
    }


@pytest.mark.parametrize("metric", ["fid", "recall", "coverage", "f_8", "f_1/8"])
def test_real_inverted_prior_only_and_noise_are_told_apart_in_this_order(
    ladder, metric
):
    values = [ladder[name][metric].value for name in LADDER]
    assert values == sorted(values, reverse=metric != "fid"), values
    real, inverted, prior, _ = values
    if metric == "fid":
        assert real < 0.75 * inverted < 0.1 * prior
    else:
        assert real > inverted > prior
