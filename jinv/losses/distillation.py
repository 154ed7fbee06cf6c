"""What a student is asked for: the answers of its teacher.

Gradients flow into the logits of both networks; a caller whose teacher is not to learn
passes its logits as constants.
"""

import jax
import jax.numpy as jnp

from jinv.losses.features import mean_feature_distance


def softened_divergence(
    teacher_logits: jax.Array, student_logits: jax.Array, temperature: float = 1.0
) -> jax.Array:
    """Divergence of a student's softened answers from those of its teacher.

    T² KL(softmax(t / T) ‖ softmax(s / T))

    Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", section 2; T²
    makes the gradients as large at every temperature.

    Args:
        teacher_logits: Scores by the teacher, (batch, classes).
        student_logits: Scores by the student, (batch, classes).
        temperature: T: above 1, what the teacher thinks of the classes that it does not
            name weighs more.

    Returns:
        One value per image, (batch,), at least 0, in nats times T².

    Example:
        >>> teacher, student = jnp.log(jnp.array([[3.0, 1.0]])), jnp.zeros((1, 2))
        >>> round(float(softened_divergence(teacher, student)[0]), 4)
        0.1308
    """
    teacher = jax.nn.log_softmax(teacher_logits / temperature)
    student = jax.nn.log_softmax(student_logits / temperature)
    return temperature**2 * jnp.sum(jnp.exp(teacher) * (teacher - student), -1)


def logit_mse(teacher_logits: jax.Array, student_logits: jax.Array) -> jax.Array:
    """Mean squared difference of the logits.

    mean_c (t_c - s_c)² (Ba & Caruana 2014, "Do Deep Nets Really Need to be Deep?",
    section 2.3, which halves it).

    Args:
        teacher_logits: Scores by the teacher, (batch, classes).
        student_logits: Scores by the student, (batch, classes).

    Returns:
        One value per image, (batch,).

    Example:
        >>> float(logit_mse(jnp.array([[3.0, 0.0]]), jnp.array([[1.0, 0.0]]))[0])
        2.0
    """
    return jnp.mean(jnp.square(teacher_logits - student_logits), -1)


def logit_l1(teacher_logits: jax.Array, student_logits: jax.Array) -> jax.Array:
    """Mean absolute difference of the logits.

    mean_c |t_c - s_c|

    What the student of DFAD minimises (Fang et al. 2019, "Data-Free Adversarial
    Distillation").

    Args:
        teacher_logits: Scores by the teacher, (batch, classes).
        student_logits: Scores by the student, (batch, classes).

    Returns:
        One value per image, (batch,).

    Example:
        >>> float(logit_l1(jnp.array([[3.0, 0.0]]), jnp.array([[1.0, 0.0]]))[0])
        1.0
    """
    return jnp.mean(jnp.abs(teacher_logits - student_logits), -1)


def feature_mse(teacher_features: jax.Array, student_features: jax.Array) -> jax.Array:
    """Mean squared difference of features, as a share of what the teacher's vary.

    mean (t - s)² / Var(t)

    The mean is over all activations of an image; the variance over those of the whole
    batch, so that it is 1 for a student that says the mean everywhere, and a weight
    means the same in every layer. Romero et al. 2015, "FitNets: Hints for Thin Deep
    Nets", equation 3, which neither divides by the variance nor by the size.

    Args:
        teacher_features: Activations of the teacher, (batch, ..., channels).
        student_features: The same of the student, or of its regressor.

    Returns:
        One value per image, (batch,), at least 0.

    Example:
        >>> teacher = jnp.array([[1.0], [3.0]])
        >>> feature_mse(teacher, jnp.array([[2.0], [3.0]])).tolist()
        [1.0, 0.0]
    """
    means = mean_feature_distance(student_features, teacher_features)
    # A feature that is the same everywhere has nothing to teach but itself.
    return means / jnp.maximum(jnp.var(teacher_features), 1e-12)
