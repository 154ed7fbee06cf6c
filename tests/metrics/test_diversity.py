import numpy as np
import pytest
from scipy.spatial.distance import pdist

from jinv.errors import DataError
from jinv.metrics.diversity import within_class_diversity

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
