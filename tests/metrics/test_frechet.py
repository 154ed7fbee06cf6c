import numpy as np
import pytest
import scipy.linalg

from jinv.errors import DataError
from jinv.metrics.frechet import FeatureStatistics, frechet_distance

RNG = np.random.default_rng(0)
# Like features of a network: correlated, with a long tail of small variances.
MIX = RNG.normal(size=(48, 48)) * np.exp(-np.arange(48) / 8)
ONE = RNG.normal(size=(400, 48)) @ MIX
OTHER = RNG.normal(size=(300, 48)) @ MIX * 1.2 + 0.3


def distance(one, other):
    return frechet_distance(FeatureStatistics.of(one), FeatureStatistics.of(other))


def test_it_agrees_with_the_matrix_root_of_scipy():
    s1, s2 = np.cov(ONE.T), np.cov(OTHER.T)
    shift = ONE.mean(0) - OTHER.mean(0)
    root = scipy.linalg.sqrtm(s1 @ s2).real
    expected = shift @ shift + np.trace(s1 + s2 - 2 * root)
    np.testing.assert_allclose(distance(ONE, OTHER), expected, rtol=1e-8)


def test_it_agrees_with_pytorch_fid():
    try:
        from pytorch_fid.fid_score import calculate_frechet_distance
    except (ImportError, RuntimeError) as error:
        # A torchvision that does not fit the torch beside it raises RuntimeError.
        pytest.skip(f"pytorch_fid cannot be imported: {error}")
    expected = calculate_frechet_distance(
        ONE.mean(0), np.cov(ONE.T), OTHER.mean(0), np.cov(OTHER.T)
    )
    np.testing.assert_allclose(distance(ONE, OTHER), expected, rtol=1e-6)


def test_statistics_are_those_of_numpy():
    statistics = FeatureStatistics.of(ONE)
    np.testing.assert_allclose(statistics.mean, ONE.mean(0))
    np.testing.assert_allclose(statistics.covariance, np.cov(ONE.T), atol=1e-12)


def test_measuring_leaves_the_features_as_they_were():
    before = ONE.copy()
    FeatureStatistics.of(ONE)
    np.testing.assert_array_equal(ONE, before)


def test_float32_features_are_measured_in_float64():
    far = (ONE + 1000).astype(np.float32)
    found = FeatureStatistics.of(far).covariance
    np.testing.assert_allclose(found, np.cov(far.T.astype(float)), rtol=1e-9)


def test_parts_of_any_size_add_up_to_the_whole():
    parts = np.split(ONE, [1, 2, 50, 51, 399])
    added = FeatureStatistics.of(parts[0])
    for part in parts[1:]:
        added = added + FeatureStatistics.of(part)
    whole = FeatureStatistics.of(ONE)
    assert added.count == whole.count
    np.testing.assert_allclose(added.mean, whole.mean, atol=1e-12)
    np.testing.assert_allclose(added.covariance, whole.covariance, atol=1e-12)


def by_singular_values(one, other):
    """The distance from the features themselves, without any covariance."""
    shift = one.mean(0) - other.mean(0)
    x, y = ((z - z.mean(0)) / np.sqrt(len(z) - 1) for z in (one, other))
    cross = np.linalg.norm(x @ y.T, "nuc")
    return shift @ shift + np.square(x).sum() + np.square(y).sum() - 2 * cross


@pytest.mark.parametrize("samples", [20, 300])
def test_it_agrees_with_the_singular_values_of_the_features(samples):
    one, other = ONE[:samples], OTHER[:samples]
    expected = by_singular_values(one, other)
    np.testing.assert_allclose(distance(one, other), expected, rtol=1e-11)


def test_directions_without_variance_add_no_noise():
    rotation = np.linalg.qr(RNG.normal(size=(48, 48)))[0]
    flat, whole = ONE[:50] * (np.arange(48) < 3) @ rotation, OTHER @ rotation
    expected = by_singular_values(flat, whole)
    np.testing.assert_allclose(distance(flat, whole), expected, rtol=1e-11)


@pytest.mark.parametrize("samples", [2, 20, 400])
def test_a_set_is_at_no_distance_from_itself(samples):
    scale = np.trace(np.cov(ONE[:samples].T))
    assert distance(ONE[:samples], ONE[:samples]) < 1e-10 * scale


def test_no_distance_is_negative():
    assert min(distance(ONE[:n], ONE[:n]) for n in range(2, 60)) == 0


def test_a_shift_is_at_its_squared_length():
    shift = np.arange(48) / 48
    np.testing.assert_allclose(distance(ONE, ONE + shift), shift @ shift, rtol=1e-8)


def test_a_scaling_is_at_the_squared_difference_of_the_deviations():
    centred = ONE - ONE.mean(0)
    expected = np.trace(np.cov(ONE.T)) * (3 - 1) ** 2
    np.testing.assert_allclose(distance(centred, 3 * centred), expected, rtol=1e-10)


def test_a_rotation_of_both_sets_changes_nothing():
    rotation = np.linalg.qr(RNG.normal(size=(48, 48)))[0]
    expected = distance(ONE, OTHER)
    np.testing.assert_allclose(distance(ONE @ rotation, OTHER @ rotation), expected)


def test_the_order_of_the_sets_does_not_matter():
    np.testing.assert_allclose(distance(ONE, OTHER), distance(OTHER, ONE))


def test_variances_on_different_axes_share_nothing():
    one, other = np.zeros((2, 50, 4))
    one[:, 0], other[:, 1] = RNG.normal(size=(2, 50))
    shift = one.mean(0) - other.mean(0)
    expected = shift @ shift + one.var(0, ddof=1).sum() + other.var(0, ddof=1).sum()
    np.testing.assert_allclose(distance(one, other), expected)


def test_constant_features_differ_by_their_means_only():
    assert distance(np.ones((3, 4)), np.zeros((3, 4))) == 4


def test_one_sample_is_too_few():
    with pytest.raises(DataError, match="at least 2 samples"):
        distance(ONE, OTHER[:1])


def test_features_of_different_widths_are_refused():
    with pytest.raises(DataError, match="48 and 47"):
        distance(ONE, OTHER[:, 1:])
    with pytest.raises(DataError, match="48 and 47"):
        FeatureStatistics.of(ONE) + FeatureStatistics.of(OTHER[:, 1:])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused_by_row(bad):
    features = ONE.copy()
    features[7, 3] = bad
    with pytest.raises(DataError, match="1 of 400 samples.*row 7"):
        FeatureStatistics.of(features)


def test_features_must_be_a_matrix():
    with pytest.raises(DataError, match=r"not \(2, 2, 3\)"):
        FeatureStatistics.of(np.zeros((2, 2, 3)))
