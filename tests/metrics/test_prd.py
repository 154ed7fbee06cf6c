import numpy as np
import pytest
from sklearn.cluster import KMeans

from jinv.errors import DataError
from jinv.metrics.prd import Prd, prd_curve

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(600, 4))
SYNTHETIC = 0.6 * RNG.normal(size=(600, 4)) + 0.5


def islands(counts):
    """Tight clusters far from each other, with as many samples as given."""
    centres = 100 * np.eye(len(counts))
    points = np.repeat(centres, counts, 0)
    return points + RNG.normal(size=points.shape)


def paper(p, q, angles):
    """Algorithm 1, line by line."""
    curve = []
    for i in range(1, angles + 1):
        slope = np.tan(i / (angles + 1) * np.pi / 2)
        alpha = sum(min(slope * a, b) for a, b in zip(p, q, strict=True))
        beta = sum(min(a, b / slope) for a, b in zip(p, q, strict=True))
        curve.append((alpha, beta))
    return np.transpose(curve)


def harmonic(precision, recall, beta):
    """F_β as a weighted harmonic mean."""
    return max((1 + beta**2) / (1 / precision + beta**2 / recall))


def test_histograms_that_are_known_give_the_curve_of_the_paper():
    p, q = np.array([40, 30, 20, 10, 0]), np.array([10, 10, 20, 30, 30])
    found = prd_curve(islands(p), islands(q), clusters=5, angles=99, runs=2)
    precision, recall = paper(p / 100, q / 100, 99)
    np.testing.assert_allclose(found.precision, precision, rtol=1e-12)
    np.testing.assert_allclose(found.recall, recall, rtol=1e-12)
    for beta in (8, 1, 1 / 8):
        expected = harmonic(precision, recall, beta)
        np.testing.assert_allclose(found.f_beta(beta), expected, rtol=1e-12)


def test_sets_that_overlap_agree_with_full_k_means():
    curves = []
    for seed in range(3):
        means = KMeans(20, n_init=1, random_state=seed)
        labels = means.fit_predict(np.concatenate([REAL, SYNTHETIC])).reshape(2, -1)
        p, q = (np.bincount(x, minlength=20) / 600 for x in labels)
        curves.append(paper(p, q, 101))
    expected = np.mean(curves, 0)
    found = prd_curve(REAL, SYNTHETIC, angles=101, runs=3)
    for beta in (8, 1 / 8):
        assert found.f_beta(beta) == pytest.approx(harmonic(*expected, beta), abs=0.05)


def test_identical_sets_have_full_precision_and_recall():
    found = prd_curve(REAL, REAL, runs=1)
    assert found.f_beta(8) == pytest.approx(1)
    assert found.f_beta(1 / 8) == pytest.approx(1)


def test_far_sets_have_neither():
    found = prd_curve(REAL, REAL + 1000, runs=1)
    assert found.f_beta(8) == found.f_beta(1 / 8) == 0


def test_missing_modes_cost_recall_but_not_precision():
    every, half = islands([50, 50, 50, 50]), islands([100, 100, 0, 0])
    found = prd_curve(every, half, clusters=4, runs=1)
    assert found.f_beta(8) == pytest.approx(0.5, abs=0.01)
    assert found.f_beta(1 / 8) == pytest.approx(1, abs=0.02)


def test_invented_modes_cost_precision_but_not_recall():
    every, half = islands([50, 50, 50, 50]), islands([100, 100, 0, 0])
    found = prd_curve(half, every, clusters=4, runs=1)
    assert found.f_beta(8) == pytest.approx(1, abs=0.02)
    assert found.f_beta(1 / 8) == pytest.approx(0.5, abs=0.01)


def test_sets_of_different_sizes_are_compared_by_shares():
    found = prd_curve(islands([100, 0]), islands([20, 20]), clusters=2, runs=1)
    assert found.precision[-1] == pytest.approx(0.5)
    assert found.recall[0] == pytest.approx(1)


def test_the_seed_decides_the_curve():
    one, same, other = (
        prd_curve(REAL, SYNTHETIC, runs=1, seed=seed).precision for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_f_1_weighs_both_alike():
    curve = Prd(np.array([0.2, 0.6, 0.9]), np.array([0.8, 0.6, 0.1]))
    assert curve.f_beta(1) == pytest.approx(0.6)


@pytest.mark.parametrize("small", ["real", "synthetic"])
def test_fewer_samples_than_clusters_are_refused(small):
    sets = {"real": REAL, "synthetic": SYNTHETIC}
    sets[small] = sets[small][:19]
    with pytest.raises(DataError, match=f"{small} features: .* 20 samples, got 19"):
        prd_curve(**sets)


def test_features_of_different_widths_are_refused():
    with pytest.raises(DataError, match="4 and 3"):
        prd_curve(REAL, SYNTHETIC[:, 1:])
