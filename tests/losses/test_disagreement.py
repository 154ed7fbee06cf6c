from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.losses import (
    agreeing_divergence,
    jensen_shannon_competition,
    l1_disagreement,
)

TEACHER = jnp.array([[2.0, 0.0, -1.0], [0.0, 1.0, 0.5]])
STUDENT = jnp.array([[1.0, 0.5, 0.5], [0.2, 0.1, 0.9]])
"""The first image is seen alike, the second is not."""
TERMS = [
    agreeing_divergence,
    l1_disagreement,
    jensen_shannon_competition,
    partial(jensen_shannon_competition, temperature=1.0),
]
AGREEMENT = [0, 0, 1, 1]
"""What they are where the networks say the same."""


def softmax(logits):
    shares = np.exp(np.asarray(logits, np.float64))
    return shares / shares.sum(-1, keepdims=True)


def test_l1_is_minus_the_mean_difference_of_the_logits():
    # (1 + 0.5 + 1.5) / 3 and (0.2 + 0.9 + 0.4) / 3
    found = l1_disagreement(TEACHER, STUDENT)
    np.testing.assert_allclose(found, [-1.0, -0.5], rtol=1e-6)


def test_divergence_is_that_of_the_student_from_the_teacher():
    t, s = softmax(TEACHER[0]), softmax(STUDENT[0])
    found = agreeing_divergence(TEACHER, STUDENT)
    np.testing.assert_allclose(found[0], -np.sum(t * np.log(t / s)), rtol=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_competition_is_what_the_divergence_from_the_mean_lacks(temperature):
    p, q = softmax(TEACHER / temperature), softmax(STUDENT / temperature)
    mean = (p + q) / 2
    bits = (np.sum(p * np.log2(p / mean), -1) + np.sum(q * np.log2(q / mean), -1)) / 2
    found = jensen_shannon_competition(TEACHER, STUDENT, temperature)
    np.testing.assert_allclose(found, 1 - bits, rtol=1e-5)
    swapped = jensen_shannon_competition(STUDENT, TEACHER, temperature)
    np.testing.assert_allclose(found, swapped, rtol=1e-6)


@pytest.mark.parametrize("scale", [0.1, 10.0, 1000.0])
def test_competition_lies_between_0_and_1(scale):
    logits = scale * jax.random.normal(jax.random.key(1), (2, 50, 7))
    found = jensen_shannon_competition(*logits)
    assert found.min() >= 0 and found.max() <= 1 + 1e-6


def test_competition_keeps_a_gradient_where_the_networks_are_sure_of_other_classes():
    """Of 1000 classes, where the published bounds leave none."""
    teacher = jnp.zeros((1, 1000)).at[0, 3].set(60.0)
    student = jnp.zeros((1, 1000)).at[0, 8].set(50.0)
    value, gradient = jax.jit(
        jax.value_and_grad(lambda s: jensen_shannon_competition(teacher, s).sum())
    )(student)
    assert 0 < value < 1e-3
    # What the student would win by saying what the teacher says.
    assert gradient[0, 3] > 1e-8 and jnp.argmax(gradient[0]) == 3
    assert gradient[0, 8] < 0


def test_images_that_are_seen_differently_have_neither_value_nor_gradient():
    assert agreeing_divergence(TEACHER, STUDENT)[1] == 0
    for number in (0, 1):
        gradient = jax.jit(jax.grad(lambda *x: agreeing_divergence(*x).sum(), number))(
            TEACHER, STUDENT
        )
        assert (gradient[1] == 0).all() and (gradient[0] != 0).all()


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("number", [0, 1])
def test_the_gradient_of_either_network_is_the_slope(term, number):
    logits = [TEACHER, STUDENT]
    gradient = jax.jit(jax.grad(lambda *x: term(*x).sum(), number))(*logits)
    step = 1e-2 * jax.random.normal(jax.random.key(0), TEACHER.shape)

    def at(share):
        moved = [*logits]
        moved[number] = moved[number] + share * step
        return term(*moved).sum()

    slope = (at(1.0) - at(-1.0)) / 2
    np.testing.assert_allclose(jnp.sum(gradient * step), slope, rtol=1e-2)


@pytest.mark.parametrize("term", TERMS)
def test_descent_drives_the_networks_apart(term):
    gradient = jax.jit(jax.grad(lambda s: term(TEACHER, s).sum()))(STUDENT)
    further = term(TEACHER, STUDENT - 0.01 * gradient)
    assert further[0] < term(TEACHER, STUDENT)[0]


@pytest.mark.parametrize(("term", "same"), [*zip(TERMS, AGREEMENT, strict=True)])
def test_agreement_and_certainty_have_finite_gradients(term, same):
    sure = jnp.array([[300.0, 0.0], [1.0, 0.0]])
    for student in (sure, sure / 100):
        assert jnp.isfinite(term(sure, student)).all()
        gradients = jax.jit(jax.grad(lambda *x: term(*x).sum(), (0, 1)))(sure, student)
        assert all(jnp.isfinite(g).all() for g in gradients)
    np.testing.assert_allclose(term(sure, sure), same, atol=1e-6)


@pytest.mark.parametrize("term", TERMS)
def test_the_value_of_an_image_does_not_depend_on_the_others(term):
    alone = jnp.concatenate(
        [term(TEACHER[i : i + 1], STUDENT[i : i + 1]) for i in (0, 1)]
    )
    np.testing.assert_allclose(term(TEACHER, STUDENT), alone, rtol=1e-6)
