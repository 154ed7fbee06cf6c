"""A student's lesson: to answer as its teacher does."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jinv import losses
from jinv.engine.lesson import Lesson, Measurements
from jinv.levels import from_uint8
from jinv.models.classifier import Classifier
from jinv.transfer.descent import decayed_sgd
from jinv.transfer.distill_config import DistillConfig
from jinv.transfer.examples import Examples, training_view
from jinv.transfer.trainable import beside, joined


def student_lesson(
    teacher: Classifier, student: Classifier, config: DistillConfig
) -> Lesson:
    """Make the lesson of a student, whose batches are `Examples`.

    A step measures `agreement`, the share of images in percent of which both name the
    same class.

    Args:
        teacher: Network whose answers are learnt; it stays as it is.
        student: Network that learns, with its initial weights.
        config: How it learns.
    """
    schedule = optax.warmup_cosine_decay_schedule(
        0.0 if config.warmup else config.lr,
        config.lr,
        config.warmup,
        max(config.steps, config.warmup + 1),
    )
    optimizer = decayed_sgd(
        schedule, config.momentum, config.nesterov, config.weight_decay
    )
    return Lesson(
        student.variables["params"],
        partial(_objective, teacher, student, config),
        optimizer,
        (teacher.variables, beside(student.variables)),
        student.variables.get("batch_stats", {}),
        config.seed,
        f"take a lower lr than {config.lr}",
    )


def student_variables(lesson: Lesson, trained: Any, state: Any) -> dict[str, Any]:
    """Put the student's variables together.

    Args:
        lesson: Lesson of the student.
        trained: What the optimiser made of its parameters.
        state: State that training left: BatchNorm statistics.
    """
    return joined(trained, state, lesson.frozen[1])


def _objective(
    teacher: Classifier,
    student: Classifier,
    config: DistillConfig,
    trained: Any,
    frozen: Any,
    statistics: Any,
    batch: Examples,
    key: jax.Array,
) -> tuple[jax.Array, tuple[Any, Measurements]]:
    view_key, dropout_key = jax.random.split(key)
    view = training_view(batch.images.shape[1], batch.seen, config.margin, config.flip)
    images = view(view_key, batch.index, from_uint8(batch.images))
    known, others = frozen
    wanted = teacher.logits(known, teacher.normalise(images))
    answers, statistics = student.training(
        joined(trained, statistics, others),
        student.normalise(images),
        dropout_key,
    )
    match = {
        "divergence": partial(
            losses.softened_divergence, temperature=config.temperature
        ),
        "mse": losses.logit_mse,
        "l1": losses.logit_l1,
    }[config.match]
    loss = match(wanted, answers).mean()
    if config.w_labels:
        loss += config.w_labels * losses.cross_entropy(answers, batch.labels).mean()
    agree = jnp.argmax(wanted, -1) == jnp.argmax(answers, -1)
    return loss, (statistics, {"agreement": 100 * agree.mean()})
