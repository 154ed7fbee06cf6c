import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.losses import (
    l2,
    l2_nvlabs,
    total_variation_l1,
    total_variation_l2,
    total_variation_l2_nvlabs,
)

IMAGES = jax.random.normal(jax.random.key(0), (3, 5, 6, 3))
PER_IMAGE = [l2, total_variation_l1, total_variation_l2]


def differences(x):
    x = np.asarray(x, np.float64)
    yield x[:, :, 1:] - x[:, :, :-1]
    yield x[:, 1:] - x[:, :-1]
    yield x[:, 1:, 1:] - x[:, :-1, :-1]
    yield x[:, 1:, :-1] - x[:, :-1, 1:]


def test_tv_l2_sums_the_norms_of_four_differences():
    expected = [
        sum(np.linalg.norm(d) for d in differences(IMAGES[i : i + 1])) for i in range(3)
    ]
    np.testing.assert_allclose(total_variation_l2(IMAGES), expected, rtol=1e-5)


def test_nvlabs_tv_l2_takes_norms_over_the_whole_batch():
    expected = sum(np.linalg.norm(d) for d in differences(IMAGES))
    found = total_variation_l2_nvlabs(IMAGES)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_tv_l1_sums_the_means_of_four_absolute_differences():
    expected = sum(np.abs(d).mean((1, 2, 3)) for d in differences(IMAGES))
    np.testing.assert_allclose(total_variation_l1(IMAGES), expected, rtol=1e-5)


def test_l2_is_the_norm_of_each_image():
    expected = np.linalg.norm(np.asarray(IMAGES).reshape(3, -1), axis=1)
    np.testing.assert_allclose(l2(IMAGES), expected, rtol=1e-6)
    np.testing.assert_allclose(l2_nvlabs(IMAGES), np.linalg.norm(IMAGES), rtol=1e-6)


@pytest.mark.parametrize("term", PER_IMAGE)
def test_the_mean_over_a_batch_does_not_depend_on_its_size(term):
    doubled = jnp.concatenate([IMAGES, IMAGES])
    np.testing.assert_allclose(term(doubled).mean(), term(IMAGES).mean(), rtol=1e-6)


def test_nvlabs_tv_l2_grows_as_the_root_of_the_batch():
    doubled = total_variation_l2_nvlabs(jnp.concatenate([IMAGES, IMAGES]))
    single = total_variation_l2_nvlabs(IMAGES)
    np.testing.assert_allclose(doubled / single, np.sqrt(2), rtol=1e-5)


@pytest.mark.parametrize("term", [*PER_IMAGE, total_variation_l2_nvlabs, l2_nvlabs])
def test_the_gradient_of_a_black_image_is_finite(term):
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(term(x))))(jnp.zeros((2, 4, 4, 3)))
    assert jnp.isfinite(gradient).all()
