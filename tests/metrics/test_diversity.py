import numpy as np
import pytest
from scipy.spatial.distance import pdist

from jinv.errors import DataError
from jinv.metrics.diversity import batch_diversity, within_class_diversity

RNG = np.random.default_rng(0)
FEATURES = np.abs(RNG.normal(size=(60, 5)))
LABELS = RNG.integers(3, 7, size=60)


def test_it_is_the_mean_over_all_pairs_of_a_class():
    found = within_class_diversity(FEATURES, LABELS)
    expected = {
        label: pdist(FEATURES[LABELS == label], "cosine").mean()
        for label in range(3, 7)
    }
    assert found == pytest.approx(expected, rel=1e-10)


def test_lengths_do_not_matter():
    stretched = FEATURES * RNG.uniform(0.1, 10, size=(60, 1))
    expected = within_class_diversity(FEATURES, LABELS)
    assert within_class_diversity(stretched, LABELS) == pytest.approx(expected)


def test_copies_are_not_diverse():
    found = within_class_diversity(np.tile(FEATURES[:1], (9, 1)), np.zeros(9, int))
    assert found == {0: pytest.approx(0, abs=1e-12)}


def test_a_class_of_one_image_is_left_out():
    assert within_class_diversity(FEATURES[:3], np.array([4, 9, 4])).keys() == {4}


def test_features_without_a_direction_are_left_out():
    features = np.concatenate([FEATURES[:3], np.zeros((2, 5))])
    found = within_class_diversity(features, np.array([0, 0, 1, 0, 1]))
    expected = within_class_diversity(FEATURES[:2], np.array([0, 0]))
    assert found == expected


def test_labels_must_match_the_features():
    with pytest.raises(DataError, match=r"60 images need labels of shape \(60,\)"):
        within_class_diversity(FEATURES, LABELS[:59])


BATCHES = RNG.integers(0, 5, size=60)


def pairs(features, labels, batches, alike):
    """Mean cosine distance of all pairs of one class in one batch, or in different."""
    found = {}
    for label in np.unique(labels):
        mine = labels == label
        distances = pdist(features[mine], "cosine")
        apart = pdist(batches[mine, None].astype(float)) > 0
        found[label] = distances[apart != alike].mean()
    return found


def test_batches_are_compared_over_all_pairs():
    found = batch_diversity(FEATURES, LABELS, BATCHES)
    within = pairs(FEATURES, LABELS, BATCHES, True)
    between = pairs(FEATURES, LABELS, BATCHES, False)
    assert found.within_by_class == pytest.approx(within, rel=1e-10)
    assert found.between_by_class == pytest.approx(between, rel=1e-10)
    assert found.within == pytest.approx(np.mean(list(within.values())))
    assert found.between == pytest.approx(np.mean(list(between.values())))
    assert found.ratio == pytest.approx(found.within / found.between)


def test_batches_drawn_at_random_are_as_varied_as_the_set():
    features, batches = RNG.normal(size=(4000, 8)), RNG.integers(0, 9, size=4000)
    found = batch_diversity(features, np.zeros(4000, int), batches)
    assert found.ratio == pytest.approx(1, abs=0.01)


def test_batches_of_copies_have_no_diversity_within():
    features = np.repeat(FEATURES[:6], 5, axis=0)
    found = batch_diversity(features, np.zeros(30, int), np.repeat(np.arange(6), 5))
    assert found.within == pytest.approx(0, abs=1e-12)
    assert found.ratio == pytest.approx(0, abs=1e-12)
    assert found.between == pytest.approx(pdist(FEATURES[:6], "cosine").mean())


def test_batches_that_repeat_each_other_have_a_ratio_above_1():
    features = np.tile(FEATURES[:5], (4, 1))
    found = batch_diversity(features, np.zeros(20, int), np.repeat(np.arange(4), 5))
    assert found.within == pytest.approx(pdist(FEATURES[:5], "cosine").mean())
    # Of two images from different batches, one in five pairs is the same image.
    assert found.between == pytest.approx(found.within * 4 / 5)


def test_images_that_are_all_alike_have_no_ratio():
    features = np.tile(FEATURES[:1], (8, 1))
    found = batch_diversity(features, np.zeros(8, int), np.arange(8) // 4)
    assert found.between == pytest.approx(0, abs=1e-12) and found.ratio is None


def test_classes_without_pairs_of_both_kinds_are_left_out():
    # Class 1 is in one batch only, class 2 has one image of each batch, class 3 one.
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 3])
    batches = np.array([5, 5, 6, 5, 5, 5, 6, 5])
    found = batch_diversity(FEATURES[:8], labels, batches)
    assert found.within_by_class.keys() == found.between_by_class.keys() == {0}
    with pytest.raises(DataError, match="no class has two images of one batch and two"):
        batch_diversity(FEATURES[3:8], labels[3:], batches[3:])


def test_images_without_a_direction_belong_to_no_batch():
    features = np.concatenate([FEATURES[:9], np.zeros((3, 5))])
    batches = np.arange(12) % 3
    expected = batch_diversity(FEATURES[:9], np.zeros(9, int), batches[:9])
    assert batch_diversity(features, np.zeros(12, int), batches) == expected
    with pytest.raises(DataError, match="no class has"):
        batch_diversity(features[9:], np.zeros(3, int), batches[9:])


def test_there_must_be_a_batch_for_each_image():
    with pytest.raises(
        DataError, match=r"60 images need batch_numbers of shape \(60,\)"
    ):
        batch_diversity(FEATURES, LABELS, BATCHES[:59])
