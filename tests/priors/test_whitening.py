import numpy as np
import pytest

from jinv.priors.measuring import area_under_curve, gaussian_like
from jinv.priors.whitening import whiten

RNG = np.random.default_rng(0)
DATA = (RNG.laplace(size=(5000, 6)) @ RNG.normal(size=(6, 6)) + 3).astype(np.float32)


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_whitened_data_have_the_identity_for_covariance(kind):
    white = whiten(DATA, kind)(DATA)
    np.testing.assert_allclose(white.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(6), atol=1e-3)


def test_zca_leaves_data_where_they_are():
    matrix = whiten(DATA, "zca").matrix
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-5)


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_a_direction_may_be_left_out(kind):
    found = whiten(DATA, kind, np.ones(6))
    np.testing.assert_allclose(found.matrix @ np.ones(6), 0, atol=1e-5)
    white = found(DATA)
    covariance = np.cov(white.T, bias=True)
    np.testing.assert_allclose(covariance, found.basis, atol=2e-3)
    assert np.linalg.matrix_rank(found.basis) == 5


def test_empty_directions_are_left_out():
    flat = np.concatenate([DATA, np.zeros((5000, 2), np.float32)], 1)
    assert whiten(flat).matrix.shape == (6, 8)


def test_only_the_widest_directions_may_be_kept():
    whole, some = whiten(DATA), whiten(DATA, most=2)
    np.testing.assert_allclose(some.matrix, whole.matrix[:2], rtol=1e-5)


def test_gaussian_patches_have_the_same_mean_and_covariance():
    patches = DATA[:4000].reshape(4000, 1, 2, 3)
    drawn = gaussian_like(patches, 0).reshape(4000, 6)
    np.testing.assert_allclose(drawn.mean(0), DATA[:4000].mean(0), atol=0.3)
    expected = np.cov(DATA[:4000].T)
    np.testing.assert_allclose(np.cov(drawn.T), expected, rtol=0.2, atol=0.6)
    kurtosis = np.mean(((drawn - drawn.mean(0)) / drawn.std(0)) ** 4)
    assert abs(kurtosis - 3) < 0.2


def test_the_area_under_the_curve_counts_pairs():
    lower, higher = RNG.normal(size=50), RNG.normal(size=30) + 1
    expected = np.mean(lower[:, None] < higher[None])
    assert area_under_curve(lower, higher) == pytest.approx(expected)
