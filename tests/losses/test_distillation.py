from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.losses import feature_mse, logit_l1, logit_mse, softened_divergence

TEACHER = jnp.array([[2.0, 0.0, -1.0], [0.0, 1.0, 0.5]])
STUDENT = jnp.array([[1.0, 0.5, 0.5], [0.2, 0.1, 0.9]])
LOSSES = [
    softened_divergence,
    partial(softened_divergence, temperature=4.0),
    logit_mse,
    logit_l1,
]


def softmax(logits):
    shares = np.exp(np.asarray(logits, np.float64))
    return shares / shares.sum(-1, keepdims=True)


def gradient_of(loss, *logits):
    """The student's."""
    return jax.jit(jax.grad(lambda t, s: loss(t, s).sum(), 1))(*logits)


@pytest.mark.parametrize("temperature", [1.0, 4.0, 20.0])
def test_divergence_is_that_of_the_softened_answers(temperature):
    t, s = softmax(TEACHER / temperature), softmax(STUDENT / temperature)
    expected = temperature**2 * np.sum(t * np.log(t / s), -1)
    found = softened_divergence(TEACHER, STUDENT, temperature)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_gradient_is_the_difference_of_the_answers(temperature):
    """Hinton et al. 2015, equation 2, times T²."""
    found = gradient_of(
        partial(softened_divergence, temperature=temperature), TEACHER, STUDENT
    )
    t, s = softmax(TEACHER / temperature), softmax(STUDENT / temperature)
    np.testing.assert_allclose(found, temperature * (s - t), atol=1e-6)


def test_at_a_high_temperature_it_matches_centred_logits():
    """Equation 4 of the same: gradients neither vanish nor grow with T."""
    found = gradient_of(partial(softened_divergence, temperature=1e3), TEACHER, STUDENT)
    apart = STUDENT - TEACHER
    expected = (apart - apart.mean(-1, keepdims=True)) / 3
    np.testing.assert_allclose(found, expected, rtol=0.01, atol=1e-3)


def test_logits_are_compared_squared_and_absolute():
    # Differences -1, 0.5, 1.5 and 0.2, -0.9, 0.4.
    np.testing.assert_allclose(logit_mse(TEACHER, STUDENT), [3.5 / 3, 1.01 / 3], 1e-6)
    np.testing.assert_allclose(logit_l1(TEACHER, STUDENT), [1.0, 0.5], rtol=1e-6)
    apart = STUDENT - TEACHER
    squared = gradient_of(logit_mse, TEACHER, STUDENT)
    np.testing.assert_allclose(squared, 2 * apart / 3, rtol=1e-6)
    absolute = gradient_of(logit_l1, TEACHER, STUDENT)
    np.testing.assert_allclose(absolute, jnp.sign(apart) / 3, rtol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_student_who_says_the_same_has_nothing_to_learn(loss):
    np.testing.assert_array_equal(loss(TEACHER, TEACHER), 0)
    assert (loss(TEACHER, STUDENT) > 0).all()
    if loss is not logit_l1:  # which has a kink there
        gradient = gradient_of(loss, TEACHER, TEACHER)
        np.testing.assert_allclose(gradient, 0, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_descent_brings_the_student_closer(loss):
    gradient = gradient_of(loss, TEACHER, STUDENT)
    closer = loss(TEACHER, STUDENT - 0.01 * gradient)
    assert (closer < loss(TEACHER, STUDENT)).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_certainty_has_finite_gradients(loss):
    sure = jnp.array([[300.0, 0.0], [0.0, 300.0]])
    for student in (sure, sure[::-1], sure / 300):
        assert jnp.isfinite(loss(sure, student)).all()
        assert jnp.isfinite(gradient_of(loss, sure, student)).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_value_of_an_image_does_not_depend_on_the_others(loss):
    alone = [loss(TEACHER[i : i + 1], STUDENT[i : i + 1]) for i in (0, 1)]
    np.testing.assert_allclose(
        loss(TEACHER, STUDENT), jnp.concatenate(alone), rtol=1e-6
    )


def test_features_are_compared_by_what_the_teachers_vary():
    rng = np.random.default_rng(0)
    teacher, student = rng.normal(3, 2, (2, 4, 5, 5, 6))
    found = feature_mse(jnp.asarray(teacher), jnp.asarray(student))
    expected = ((teacher - student) ** 2).mean((1, 2, 3)) / teacher.var()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # Who says the mean everywhere is wrong by as much as the features vary.
    mean = jnp.full(teacher.shape, teacher.mean())
    np.testing.assert_allclose(feature_mse(jnp.asarray(teacher), mean).mean(), 1, 1e-4)
    same = jnp.ones((2, 3))
    assert feature_mse(same, same).tolist() == [0, 0]
