"""Terms that look for images on which a student differs from its teacher.

Both networks see the same image, so gradients flow through the logits of both; a caller
that trains the student on these terms changes their sign.
"""

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
