from dataclasses import astuple

import numpy as np
import pytest
from prdc import compute_prdc
from scipy.spatial.distance import cdist

from jinv.errors import DataError
from jinv.metrics import neighbours
from jinv.metrics.manifolds import manifold_scores

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(150, 8))
SYNTHETIC = 0.7 * RNG.normal(size=(120, 8)) + 0.4


def means(real, synthetic, **settings):
    return [x.mean() for x in astuple(manifold_scores(real, synthetic, **settings))]


@pytest.mark.parametrize("k", [1, 3, 5])
def test_all_four_agree_with_prdc(k):
    expected = compute_prdc(REAL, SYNTHETIC, nearest_k=k)
    found = means(REAL, SYNTHETIC, k=k, k_density=k)
    wanted = [expected[x] for x in ("precision", "recall", "density", "coverage")]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize(("k", "k_density"), [(3, 5), (6, 2)])
def test_each_sample_agrees_with_the_formulas(k, k_density):
    def radii(x, k):
        return np.sort(cdist(x, x), 1)[:, k]

    across = cdist(REAL, SYNTHETIC)
    balls = across < radii(REAL, k_density)[:, None]
    found = manifold_scores(REAL, SYNTHETIC, k, k_density)
    precision = (across < radii(REAL, k)[:, None]).any(0)
    recall = (across < radii(SYNTHETIC, k)).any(1)
    np.testing.assert_array_equal(found.precision, precision)
    np.testing.assert_array_equal(found.recall, recall)
    np.testing.assert_allclose(found.density, balls.mean(0) * len(REAL) / k_density)
    np.testing.assert_array_equal(found.coverage, balls.any(1))


@pytest.mark.parametrize("block", [3, 64, 120])
def test_small_blocks_give_the_same_values(monkeypatch, block):
    whole = manifold_scores(REAL, SYNTHETIC)
    monkeypatch.setattr(neighbours, "BLOCK", block)
    blocks = manifold_scores(REAL, SYNTHETIC)
    for expected, found in zip(astuple(whole), astuple(blocks), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_identical_sets_lie_in_each_other():
    precision, recall, _, coverage = means(REAL, REAL.copy())
    assert (precision, recall, coverage) == (1, 1, 1)


def test_samples_of_one_distribution_have_density_near_one():
    rng = np.random.default_rng(1)
    density = means(*rng.normal(size=(2, 1500, 4)))[2]
    assert density == pytest.approx(1, abs=0.05)


def test_far_sets_share_nothing():
    assert means(REAL, SYNTHETIC + 100) == [0, 0, 0, 0]


def test_a_missing_mode_costs_recall_but_not_precision():
    real = np.concatenate([REAL, REAL + 100])
    precision, recall, _, coverage = means(real, REAL + 1e-6)
    assert precision == 1
    assert recall == coverage == 0.5


def test_exchanging_the_sets_exchanges_precision_and_recall():
    one, other = manifold_scores(REAL, SYNTHETIC), manifold_scores(SYNTHETIC, REAL)
    np.testing.assert_array_equal(one.precision, other.recall)
    np.testing.assert_array_equal(one.recall, other.precision)


def test_a_common_rotation_and_shift_change_nothing():
    rotation = np.linalg.qr(RNG.normal(size=(8, 8)))[0]
    moved = means(REAL @ rotation + 2, SYNTHETIC @ rotation + 2)
    np.testing.assert_allclose(moved, means(REAL, SYNTHETIC), rtol=1e-12)


def test_float32_features_far_from_the_origin_keep_their_distances():
    real, synthetic = (
        (x + 1000).astype(np.float32).astype(np.float64) for x in (REAL, SYNTHETIC)
    )
    found = manifold_scores(real.astype(np.float32), synthetic.astype(np.float32))
    expected = manifold_scores(real - 1000, synthetic - 1000)
    for a, b in zip(astuple(found), astuple(expected), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("small", ["real", "synthetic"])
def test_too_few_samples_are_refused(small):
    sets = {"real": REAL, "synthetic": SYNTHETIC}
    sets[small] = sets[small][:5]
    with pytest.raises(DataError, match=f"{small} features: .* 6 samples, got 5"):
        manifold_scores(**sets)


def test_features_of_different_widths_are_refused():
    with pytest.raises(DataError, match="8 and 7"):
        manifold_scores(REAL, SYNTHETIC[:, 1:])
