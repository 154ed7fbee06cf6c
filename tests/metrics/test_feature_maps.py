import numpy as np
import pytest

from jinv.errors import DataError
from jinv.metrics.feature_maps import (
    channel_covariance,
    gram_matrix,
    inverse_of,
    place_covariance,
    sparsity,
    toeplitz_deviation,
)

SIDE = 6


def as_matrix(kernel, circular):
    """The matrix of a convolution of one channel, over SIDE x SIDE places."""
    matrix = np.zeros((SIDE, SIDE, SIDE, SIDE))
    for row in range(SIDE):
        for column in range(SIDE):
            for down in (-1, 0, 1):
                for right in (-1, 0, 1):
                    there = row + down, column + right
                    if circular:
                        there = there[0] % SIDE, there[1] % SIDE
                    if 0 <= min(there) and max(there) < SIDE:
                        matrix[row, column, *there] += kernel[down + 1, right + 1]
    return matrix.reshape(SIDE**2, SIDE**2)


def test_a_linear_inverse_is_a_convolution_only_where_borders_meet():
    kernel = np.random.default_rng(0).normal(0, 0.2, (3, 3))
    kernel[1, 1] = 1
    for circular in (True, False):
        matrix = as_matrix(kernel, circular)
        assert toeplitz_deviation(matrix, SIDE, SIDE) < 1e-20
        exact, ridged = np.linalg.inv(matrix), inverse_of(matrix.T @ matrix) @ matrix.T
        for inverse in (exact, ridged):
            deviation = toeplitz_deviation(inverse, SIDE, SIDE)
            assert deviation < 1e-20 if circular else deviation > 1e-4
    # Shifts around the border commute with the inverse of the first.
    inverse = np.linalg.inv(as_matrix(kernel, True)).reshape((SIDE,) * 4)
    shifted = np.roll(inverse, (1, 2, 1, 2), (0, 1, 2, 3))
    np.testing.assert_allclose(inverse, shifted, atol=1e-12)


def test_a_covariance_over_places_is_that_of_the_noise():
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(4000, 3, 4, 2)) * [1.0, 50.0] + [5.0, -2.0]
    noise[:, :, 1:] = noise[:, :, :-1] * 0.5 + noise[:, :, 1:]
    found = place_covariance(noise).reshape(3, 4, 3, 4)
    assert abs(found[0, 0, 1, 0]) < 0.05 and abs(found[0, 0, 0, 3]) < 0.05
    assert found[1, 0, 1, 1] / found[1, 0, 1, 0] == pytest.approx(0.5, abs=0.05)
    assert toeplitz_deviation(found.reshape(12, 12), 3, 4) < 0.02
    known = inverse_of(found.reshape(12, 12), ridge=0) @ found.reshape(12, 12)
    np.testing.assert_allclose(known, np.eye(12), atol=1e-9)


def test_channels_go_together_over_images_and_places():
    rng = np.random.default_rng(2)
    maps = rng.normal(size=(50, 4, 5, 3))
    maps[..., 2] = 2 * maps[..., 0] + 1
    covariance, gram = channel_covariance(maps), gram_matrix(maps)
    assert covariance[0, 2] == pytest.approx(2 * covariance[0, 0])
    rows = maps.reshape(-1, 3)
    np.testing.assert_allclose(gram, rows.T @ rows / 1000)


def test_sparsity_is_from_alike_to_alone():
    assert sparsity(np.ones((2, 3, 3))).hoyer == pytest.approx(0)
    found = sparsity([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    assert found == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize(
    "call",
    [
        lambda: sparsity(np.zeros((2, 3))),
        lambda: place_covariance(np.ones((1, 2, 2, 1))),
        lambda: place_covariance(np.ones((3, 2, 2, 1))),
        lambda: toeplitz_deviation(np.eye(5), 2, 3),
    ],
)
def test_what_says_nothing_is_refused(call):
    with pytest.raises(DataError, match="expected"):
        call()
