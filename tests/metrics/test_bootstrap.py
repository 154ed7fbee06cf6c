import numpy as np
import pytest

from jinv.errors import ConfigError, DataError
from jinv.metrics.bootstrap import Estimate, bootstrap_mean

VALUES = np.random.default_rng(0).exponential(size=300)


def test_the_value_is_the_mean_of_the_values():
    assert bootstrap_mean(VALUES).value == VALUES.mean()


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_the_interval_holds_so_much_of_the_resampled_means(level):
    found = bootstrap_mean(VALUES, resamples=5000, level=level)
    rng = np.random.default_rng(1)
    means = rng.choice(VALUES, (5000, len(VALUES))).mean(1)
    share = np.mean((found.low <= means) & (means <= found.high))
    assert share == pytest.approx(level, abs=0.03)


def test_memory_bounds_change_nothing(monkeypatch):
    whole = bootstrap_mean(VALUES)
    monkeypatch.setattr("jinv.metrics.bootstrap._AT_ONCE", 7 * len(VALUES))
    assert bootstrap_mean(VALUES) == whole


def test_the_interval_is_as_wide_as_the_standard_error_says():
    found = bootstrap_mean(VALUES, resamples=4000)
    expected = 2 * 1.96 * VALUES.std() / np.sqrt(len(VALUES))
    assert found.high - found.low == pytest.approx(expected, rel=0.05)


def test_truth_values_are_shares():
    found = bootstrap_mean(np.array([True, False, True, True]))
    assert found.value == 0.75
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_the_seed_decides_the_interval():
    assert bootstrap_mean(VALUES, seed=1) == bootstrap_mean(VALUES, seed=1)
    assert bootstrap_mean(VALUES, seed=1) != bootstrap_mean(VALUES, seed=2)


def test_one_value_has_no_interval():
    assert bootstrap_mean(np.array([2.0])) == Estimate(2.0)


def test_no_resamples_give_no_interval():
    assert bootstrap_mean(VALUES, resamples=0) == Estimate(VALUES.mean())


def test_no_values_are_refused():
    with pytest.raises(DataError, match="at least 1 sample"):
        bootstrap_mean(np.array([]))


@pytest.mark.parametrize("wrong", [np.array([1.0, np.nan]), np.ones((2, 2))])
def test_values_must_be_finite_and_one_per_sample(wrong):
    with pytest.raises(DataError, match="finite and of shape"):
        bootstrap_mean(wrong)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_the_level_is_a_share(level):
    with pytest.raises(ConfigError, match="level"):
        bootstrap_mean(VALUES, level=level)
