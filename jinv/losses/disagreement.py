"""Terms that look for images on which a student differs from its teacher.

Both networks see the same image, so gradients flow through the logits of both; a caller
that trains the student on these terms changes their sign.
"""

import math

import jax
import jax.numpy as jnp

from jinv.losses.distillation import logit_l1, softened_divergence


def l1_disagreement(teacher_logits: jax.Array, student_logits: jax.Array) -> jax.Array:
    """Minus the mean absolute difference of the logits.

    -mean_c |t_c - s_c|

    What the generator of DFAD minimises, and its student maximises (Fang et al. 2019,
    "Data-Free Adversarial Distillation").

    Args:
        teacher_logits: Scores by the teacher, (batch, classes).
        student_logits: Scores by the student, (batch, classes).

    Returns:
        One value per image, (batch,), at most 0.

    Example:
        >>> float(l1_disagreement(jnp.array([[3.0, 0.0]]), jnp.array([[1.0, 0.0]]))[0])
        -1.0
    """
    return -logit_l1(teacher_logits, student_logits)


def agreeing_divergence(
    teacher_logits: jax.Array, student_logits: jax.Array
) -> jax.Array:
    """Minus the divergence of student from teacher, where both see the same class.

    -[argmax t = argmax s] KL(softmax t ‖ softmax s)

    The adversarial term of CMI (Fang et al. 2021) and FastDFKD (Fang et al. 2022):
    drives images towards the student's boundary; those that it gets wrong already need
    no more driving.

    Args:
        teacher_logits: Scores by the teacher, (batch, classes).
        student_logits: Scores by the student, (batch, classes).

    Returns:
        One value per image, (batch,), at most 0; 0, without gradient, where the classes
        differ.

    Example:
        >>> teacher, student = jnp.log(jnp.array([[3.0, 1.0]])), jnp.zeros((1, 2))
        >>> round(float(agreeing_divergence(teacher, student)[0]), 4)
        -0.1308
    """
    divergence = softened_divergence(teacher_logits, student_logits)
    agree = jnp.argmax(teacher_logits, -1) == jnp.argmax(student_logits, -1)
    return -jnp.where(agree, divergence, 0)


def jensen_shannon_competition(
    teacher_logits: jax.Array, student_logits: jax.Array, temperature: float = 3.0
) -> jax.Array:
    """How far two networks agree: what their Jensen-Shannon divergence lacks of 1.

    1 - JS(p, q) / ln 2, JS(p, q) = KL(p ‖ m) / 2 + KL(q ‖ m) / 2, m = (p + q) / 2
    with p = softmax(t / T) and q = softmax(s / T).

    R_compete of Yin et al. 2020, "Dreaming to Distill", section 3.3, in bits, so that
    it lies between 0 and 1. The published code bounds the probabilities, and with them
    loses the gradient where the networks are sure of different classes. Here it is
    computed from their logarithms, as a sum of which no part is negative:

    sum_c [p_c log(1 + q_c / p_c) + q_c log(1 + p_c / q_c)] / (2 ln 2)

    Args:
        teacher_logits: Scores by the teacher, (batch, classes).
        student_logits: Scores by the student, (batch, classes).
        temperature: T: above 1, the gradient lasts longer where both are sure.

    Returns:
        One value per image, (batch,): 1 where they agree, 0 where they have no class
        in common.

    Example:
        >>> sure = jnp.array([[60.0, 0.0], [0.0, 60.0]])
        >>> jensen_shannon_competition(sure, sure[::-1]).round(4).tolist()
        [0.0, 0.0]
    """
    teacher = jax.nn.log_softmax(teacher_logits / temperature)
    student = jax.nn.log_softmax(student_logits / temperature)
    ahead = student - teacher
    common = jnp.exp(teacher) * jax.nn.softplus(ahead)
    common += jnp.exp(student) * jax.nn.softplus(-ahead)
    return jnp.sum(common, -1) / (2 * math.log(2))
