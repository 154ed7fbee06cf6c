"""The update step, written once, in terms of the whole batch."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from optax.contrib import ReduceLROnPlateauState

from jinv.engine.phase import Context, Evaluation, Phase, Split
from jinv.engine.state import Constants, State, next_state
from jinv.models.classifier import Classifier
from jinv.models.response import Moments, Response, Taps

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


_RENDERING = 2**31
"""Sets the randomness of rendering apart from that of the view."""


def make_step(
    classifier: Classifier,
    phase: Phase,
    student: Classifier | None = None,
    groups: int = 1,
    team: Team = ALONE,
    merge: bool = True,
) -> Step:
    """Build the function (state, constants) → (state, metrics) of one update.

    Args:
        classifier: The network to invert.
        phase: What is optimised, and how.
        student: A network whose answers the objective compares with the classifier's.
        groups: Parts of the batch whose BatchNorm statistics are taken apart.
        team: The devices that share the batch, where each runs its own copy of this
            function.
        merge: Whether statistics are taken over all of the team together.
    """

    def batch_mean(values: jax.Array) -> jax.Array:
        return team.mean(jnp.mean(values, 0))

    def batch_sum(values: jax.Array) -> jax.Array:
        return team.mean(jnp.sum(values, 0)) * team.size

    def evaluate(params: Split, state: State, constants: Constants) -> Evaluation:
        context = _context(state, constants, team)
        inputs = phase.render(params, context)
        views = phase.view(_step_key(state, constants), constants.index, inputs)
        seen = _respond(classifier, constants.variables, views, groups)
        return Evaluation(
            inputs=inputs,
            logits=seen.logits,
            student_logits=student.logits(constants.student, views)
            if student
            else seen.logits,
            features=seen.features,
            labels=constants.labels,
            taps=_merge(seen.taps, team) if merge else seen.taps,
            running=classifier.running_moments(constants.variables),
            memory=state.memory,
            last=state.step == phase.steps - 1,
            batch_mean=batch_mean,
            batch_sum=batch_sum,
        )

    def step(state: State, constants: Constants) -> tuple[State, Metrics]:
        def objective(params: Split) -> tuple[jax.Array, Any]:
            seen = evaluate(params, state, constants)
            raw = {term.name: team.mean(term.value(seen)) for term in phase.terms}
            loss = sum(term.weight * raw[term.name] for term in phase.terms)
            right = (jnp.argmax(seen.logits, -1) == seen.labels).astype(jnp.float32)
            metrics = {"terms": raw, "top1": batch_mean(right)}
            memory = team.mean(phase.remember(state.memory, seen))
            return jnp.asarray(loss), (metrics, memory)

        (loss, (metrics, memory)), gradients = jax.value_and_grad(
            objective, has_aux=True
        )(state.params)
        # Each member of a team differentiates the sum of all their (equal) losses.
        gradients = Split(
            jax.tree.map(lambda g: g / team.size, gradients.own),
            team.mean(gradients.shared),
        )
        updates, optimizer = _update(phase.optimizer, gradients, state, loss)
        moved: Any = optax.apply_updates(state.params, updates)
        params = phase.project(moved)
        numbers = jnp.stack([jnp.isfinite(x).all() for x in jax.tree.leaves(params)])
        finite = state.finite & jnp.isfinite(loss) & (team.mean(numbers.mean()) == 1)
        params, optimizer, memory = jax.tree.map(
            lambda new, old: jnp.where(finite, new, old),
            (params, optimizer, memory),
            (state.params, state.optimizer, state.memory),
        )
        metrics |= {
            "loss": loss,
            "finite": finite,
            "learning_rate": phase.learning_rate(state.step) * _plateau(optimizer),
        }
        return State(state.step + 1, params, optimizer, memory, finite), metrics

    return step


def make_finish(
    phase: Phase, team: Team = ALONE
) -> Callable[[State, Constants], Split]:
    """Build the function that renders the inputs to keep."""

    def finish(state: State, constants: Constants) -> Split:
        return Split(phase.finish(state.params, _context(state, constants, team)))

    return finish


def make_turn(phase: Phase) -> Callable[[State, Constants], State]:
    """Build the function with which a lasting phase goes on to the next batch."""

    def turn(state: State, constants: Constants) -> State:
        start = jax.random.wrap_key_data(constants.start)
        return next_state(phase, state, phase.init(start, constants.index))

    return turn


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


def _step_key(state: State, constants: Constants) -> jax.Array:
    return jax.random.fold_in(jax.random.wrap_key_data(constants.key), state.step)


def _context(state: State, constants: Constants, team: Team) -> Context:
    return Context(
        constants.variables,
        constants.labels,
        constants.index,
        jax.random.fold_in(_step_key(state, constants), _RENDERING),
        team.mean,
    )


def _update(
    optimizer: Split, gradients: Split, state: State, loss: jax.Array
) -> tuple[Split, Split]:
    """Updates of both parts of the parameters, and the optimisers' states."""
    pairs = [
        optax.with_extra_args_support(one).update(gradient, before, params, value=loss)
        for one, gradient, before, params in zip(
            optimizer, gradients, state.optimizer, state.params, strict=True
        )
    ]
    updates, states = zip(*pairs, strict=True)
    return Split(*updates), Split(*states)


def _respond(
    classifier: Classifier, variables: Any, views: jax.Array, groups: int
) -> Response:
    if groups == 1:
        return classifier.respond(variables, views)
    parts = views.reshape(groups, -1, *views.shape[1:])
    seen = jax.vmap(classifier.respond, (None, 0))(variables, parts)
    logits, features = jax.tree.map(
        lambda x: x.reshape(-1, *x.shape[2:]), (seen.logits, seen.features)
    )
    return Response(logits, seen.taps, features)


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
