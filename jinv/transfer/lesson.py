"""A student's lesson: to answer as its teacher does."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jinv import losses
from jinv.engine.lesson import Lesson, Measurements
from jinv.engine.optimizers import make_schedule, with_cut_gradients
from jinv.images.collage import collage
from jinv.images.views import chain
from jinv.levels import from_uint8
from jinv.models.classifier import Classifier
from jinv.transfer.descent import decayed_sgd
from jinv.transfer.distill_config import DistillConfig
from jinv.transfer.examples import Examples, training_view
from jinv.transfer.hints import find_hints, first_regressors, hint_loss
from jinv.transfer.trainable import beside, joined


def student_lesson(
    teacher: Classifier, student: Classifier, config: DistillConfig
) -> Lesson:
    """Make the lesson of a student, whose batches are `Examples`.

    A step measures `agreement`, the share of images in percent of which both name the
    same class, and `hints`, see `hint_loss`.

    Args:
        teacher: Network whose answers are learnt; it stays as it is.
        student: Network that learns, with its initial weights.
        config: How it learns.
    """
    hints = find_hints(teacher, student) if config.w_hints else {}
    schedule = make_schedule("cosine", config.lr, config.steps, config.warmup)
    optimizer = decayed_sgd(
        schedule, config.momentum, config.nesterov, config.weight_decay
    )
    regressors = first_regressors(teacher, student, hints, config.seed)
    return Lesson(
        {"student": student.variables["params"], "regressors": regressors},
        partial(_objective, teacher, student, config, hints),
        with_cut_gradients(optimizer, config.max_norm),
        (teacher.variables, beside(student.variables)),
        student.variables.get("batch_stats", {}),
        config.seed,
        f"take a lower lr than {config.lr}",
    )


def student_variables(lesson: Lesson, trained: Any, state: Any) -> dict[str, Any]:
    """Put the student's variables together.

    Args:
        lesson: Lesson of the student.
        trained: What the optimiser made of what it trains.
        state: State that training left: BatchNorm statistics.
    """
    return joined(trained["student"], state, lesson.frozen[1])


def _objective(
    teacher: Classifier,
    student: Classifier,
    config: DistillConfig,
    hints: dict[str, str],
    trained: Any,
    frozen: Any,
    statistics: Any,
    batch: Examples,
    key: jax.Array,
) -> tuple[jax.Array, tuple[Any, Measurements]]:
    view_key, dropout_key = jax.random.split(key)
    view = chain(
        training_view(batch.images.shape[1], batch.seen, config.margin, config.flip),
        collage(config.collage),
    )
    images = view(view_key, batch.index, from_uint8(batch.images))
    weights, others = frozen
    response = teacher.respond(weights, teacher.normalise(images))
    answers, features, statistics = student.training_features(
        joined(trained["student"], statistics, others),
        student.normalise(images),
        dropout_key,
    )
    wanted = response.logits
    match = {
        "divergence": partial(
            losses.softened_divergence, temperature=config.temperature
        ),
        "mse": losses.logit_mse,
        "l1": losses.logit_l1,
    }[config.match]
    loss = match(wanted, answers).mean()
    if config.w_labels:
        known = batch.labels >= 0
        missed = losses.cross_entropy(answers, jnp.maximum(batch.labels, 0))
        loss += config.w_labels * jnp.where(known, missed, 0).mean()
    measured = {}
    if hints:
        far = hint_loss(trained["regressors"], hints, response.features, features)
        loss += config.w_hints * far
        measured["hints"] = far
    agree = jnp.argmax(wanted, -1) == jnp.argmax(answers, -1)
    return loss, (statistics, {"agreement": 100 * agree.mean(), **measured})
