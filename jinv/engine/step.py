"""The update step, written once, in terms of the whole batch."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from optax.contrib import ReduceLROnPlateauState

from jinv.engine.stage import Constants, Evaluation, Stage, State
from jinv.models.classifier import Classifier, Moments, Taps

Metrics = dict[str, Any]
Step = Callable[[State, Constants], tuple[State, Metrics]]


class Team(NamedTuple):
    """The devices that share a batch, each running the step on its own part.

    Attributes:
        mean: Averages a tree over them.
        size: How many they are.
    """

    mean: Callable[[Any], Any]
    size: int


ALONE = Team(lambda tree: tree, 1)
"""One program sees the whole batch, however it is laid out over devices."""


def make_step(
    classifier: Classifier,
    stage: Stage,
    groups: int = 1,
    team: Team = ALONE,
    merge: bool = True,
) -> Step:
    """Build the function (state, constants) → (state, metrics) of one update.

    Args:
        classifier: The network to invert.
        stage: What is optimised, and how.
        groups: Parts of the batch whose BatchNorm statistics are measured apart.
        team: The devices that share the batch, where each runs its own copy of this
            function.
        merge: Whether statistics are measured over all of the team together.
    """

    def step(state: State, constants: Constants) -> tuple[State, Metrics]:
        key = jax.random.fold_in(jax.random.wrap_key_data(constants.key), state.step)
        labels = constants.labels

        def batch_mean(values: jax.Array) -> jax.Array:
            return team.mean(jnp.mean(values, 0))

        def batch_sum(values: jax.Array) -> jax.Array:
            return team.mean(jnp.sum(values, 0)) * team.size

        def objective(params: Any) -> tuple[jax.Array, Metrics]:
            inputs = stage.render(params)
            views = stage.view(key, constants.index, inputs)
            logits, taps = _observe(classifier, constants.variables, views, groups)
            evaluation = Evaluation(
                inputs=inputs,
                logits=logits,
                labels=labels,
                taps=_merge(taps, team) if merge else taps,
                running=classifier.running_moments(constants.variables),
                batch_mean=batch_mean,
                batch_sum=batch_sum,
            )
            raw = {term.name: team.mean(term.value(evaluation)) for term in stage.terms}
            loss = sum(term.weight * raw[term.name] for term in stage.terms)
            right = (jnp.argmax(logits, -1) == labels).astype(jnp.float32)
            return jnp.asarray(loss), {"terms": raw, "teacher_top1": batch_mean(right)}

        (loss, metrics), gradients = jax.value_and_grad(objective, has_aux=True)(
            state.params
        )
        # Each member of a team differentiates the sum of all their (equal) losses.
        gradients = jax.tree.map(lambda g: g / team.size, gradients)
        updates, optimizer = stage.optimizer.update(
            gradients, state.optimizer, state.params, value=loss
        )
        params = stage.project(optax.apply_updates(state.params, updates))
        numbers = jnp.stack([jnp.isfinite(x).all() for x in jax.tree.leaves(params)])
        finite = state.finite & jnp.isfinite(loss) & (team.mean(numbers.mean()) == 1)
        params, optimizer = jax.tree.map(
            lambda new, old: jnp.where(finite, new, old),
            (params, optimizer),
            (state.params, state.optimizer),
        )
        metrics |= {
            "loss": loss,
            "finite": finite,
            "learning_rate": stage.learning_rate(state.step) * _plateau(optimizer),
        }
        return State(state.step + 1, params, optimizer, finite), metrics

    return step


def make_chunk(step: Step, length: int) -> Step:
    """Join `length` steps into one; the metrics are the last one's.

    On CPU a convolution inside a loop runs several times slower than outside, so
    there `length` should be 1.
    """
    if length == 1:
        return step

    def chunk(state: State, constants: Constants) -> tuple[State, Metrics]:
        state, metrics = step(state, constants)

        def body(carry, _):
            return step(carry[0], constants), None

        return jax.lax.scan(body, (state, metrics), length=length - 1)[0]

    return chunk


def _observe(
    classifier: Classifier, variables: Any, views: jax.Array, groups: int
) -> tuple[jax.Array, Taps]:
    if groups == 1:
        return classifier.observe(variables, views)
    parts = views.reshape(groups, -1, *views.shape[1:])
    logits, taps = jax.vmap(classifier.observe, (None, 0))(variables, parts)
    return logits.reshape(-1, logits.shape[-1]), taps


def _merge(taps: Taps, team: Team) -> Taps:
    """Moments over all devices, by the law of total variance."""

    def merge(moments: Moments) -> Moments:
        mean = team.mean(moments.mean)
        return Moments(mean, team.mean(moments.var + jnp.square(moments.mean - mean)))

    return {layer: merge(moments) for layer, moments in taps.items()}


def _plateau(optimizer: Any) -> Any:
    """By how much a plateau has reduced the learning rate."""

    def is_plateau(node: Any) -> bool:
        return isinstance(node, ReduceLROnPlateauState)

    nodes = filter(is_plateau, jax.tree.leaves(optimizer, is_leaf=is_plateau))
    return next((node.scale for node in nodes), 1.0)
