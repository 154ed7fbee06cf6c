"""The update step, written once, in terms of the whole batch."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from optax.contrib import ReduceLROnPlateauState

from jinv.engine.phase import Cast, Context, Evaluation, Network, Phase, Split, Term
from jinv.engine.state import BEST, State, better, next_state, update_own
from jinv.models.response import Moments, Response, Taps

Metrics = dict[str, Any]
Step = Callable[[State, Split], tuple[State, Metrics]]


class Team(NamedTuple):
    """The devices that share a batch, each running the step on its own part.

    Attributes:
        mean: Averages a tree over the devices.
        size: Number of the devices.
    """

    mean: Callable[[Any], Any]
    size: int


ALONE = Team(lambda tree: tree, 1)
"""The team of one program that sees the whole batch, however that is laid out."""


_RENDERING, _TERMS = 2**31, 2**31 + 1
"""Set the randomness of rendering, and of terms, apart from that of the view."""


def make_step(
    cast: Cast,
    phase: Phase,
    watched: tuple[Term, ...] = (),
    devices: int = 1,
    team: Team = ALONE,
) -> Step:
    """Build the function (state, given) → (state, metrics) of one update.

    Args:
        cast: Networks that take part, by role.
        phase: What is optimised, and how.
        watched: Terms that are measured, and not optimised.
        devices: Number of devices that share the batch.
        team: Devices that run a copy of this function each; `ALONE` where one program
            sees the whole batch.
    """
    descent = phase.descent
    merged = descent.statistics == "global"
    groups = 1 if merged or team is not ALONE else devices
    roles = phase.cast.union(*(term.cast for term in watched))

    def batch_mean(values: jax.Array) -> jax.Array:
        return team.mean(jnp.mean(values, 0))

    def batch_sum(values: jax.Array) -> jax.Array:
        return team.mean(jnp.sum(values, 0)) * team.size

    def evaluate(params: Split, state: State, given: Split) -> Evaluation:
        inputs = phase.image.render(params, _context(state, given, team))
        views = phase.view(_step_key(state, given), given.own["index"], inputs)
        seen = {
            role: _respond(cast[role], given.shared.cast[role], views, groups)
            for role in sorted(roles)
        }
        return Evaluation(
            inputs=inputs,
            seen=_merge(seen, team) if merged else seen,
            cast=given.shared.cast,
            asked=given.own["asked"],
            index=given.own["index"],
            key=jax.random.fold_in(_step_key(state, given), _TERMS),
            memory=(),
            last=state.step == descent.steps - 1,
            batch_mean=batch_mean,
            batch_sum=batch_sum,
        )

    def step(state: State, given: Split) -> tuple[State, Metrics]:
        numbers = given.shared.numbers

        def objective(params: Split) -> tuple[jax.Array, Any]:
            evaluation = evaluate(params, state, given)

            def of(term: Term) -> Evaluation:
                memory = state.memory.get(term.name, ())
                return replace(evaluation, memory=memory)

            def values(terms: Iterable[Term]) -> dict[str, jax.Array]:
                return {term.name: team.mean(term.value(of(term))) for term in terms}

            raw = values(phase.wanted)
            loss = sum(weight_of(t, numbers) * raw[t.name] for t in phase.wanted)
            memory = {
                term.name: team.mean(term.remember(of(term)))
                for term in phase.wanted
                if term.name in state.memory
            }
            metrics = {"terms": raw, "watched": values(watched)}
            return jnp.asarray(loss), (metrics, memory)

        (loss, (metrics, memory)), gradients = jax.value_and_grad(
            objective, has_aux=True
        )(state.params)
        # Each member of a team differentiates the sum of all their (equal) losses.
        gradients = Split(
            jax.tree.map(lambda g: g / team.size, gradients.own),
            team.mean(gradients.shared),
        )
        if descent.keep == "best":
            memory[BEST] = better(state.memory[BEST], loss, state.params)
        updates, optimizer = _update(phase, numbers, gradients, state, loss)
        moved: Any = optax.apply_updates(state.params, updates)
        params = phase.image.project(moved)
        whole = jnp.stack([jnp.isfinite(x).all() for x in jax.tree.leaves(params)])
        finite = state.finite & jnp.isfinite(loss) & (team.mean(whole.mean()) == 1)
        params, optimizer, memory = jax.tree.map(
            lambda new, old: jnp.where(finite, new, old),
            (params, optimizer, memory),
            (state.params, state.optimizer, state.memory),
        )
        rate = descent.learning_rate(numbers, state.step)
        metrics |= {
            "loss": loss,
            "finite": finite,
            "learning_rate": rate * _plateau(optimizer),
        }
        return State(state.step + 1, params, optimizer, memory, finite), metrics

    return step


def weight_of(term: Term, numbers: Mapping[str, Any]) -> Any:
    """Look up the number by which a term is multiplied."""
    return numbers[term.weight] if isinstance(term.weight, str) else term.weight


def make_finish(phase: Phase, team: Team = ALONE) -> Callable[[State, Split], Split]:
    """Build the function that renders the inputs to keep."""

    def finish(state: State, given: Split) -> Split:
        best = phase.descent.keep == "best"
        params = state.memory[BEST].params if best else state.params
        return Split(phase.image.finish(params, _context(state, given, team)))

    return finish


def make_turn(phase: Phase) -> Callable[[State, Split], State]:
    """Build the function with which a phase that passes on goes to the next batch."""

    def turn(state: State, given: Split) -> State:
        start = jax.random.wrap_key_data(given.shared.start)
        params = phase.image.init(start, given.own["index"])
        params = phase.image.start(params, given.own["asked"])
        return next_state(phase, state, params, given.shared.numbers)

    return turn


def make_chunk(step: Step, length: int) -> Step:
    """Join `length` steps into one; the metrics are the last one's.

    On CPU a convolution inside a loop runs several times slower than outside, so
    there `length` should be 1.
    """
    if length == 1:
        return step

    def chunk(state: State, given: Split) -> tuple[State, Metrics]:
        state, metrics = step(state, given)

        def body(carry, _):
            return step(carry[0], given), None

        return jax.lax.scan(body, (state, metrics), length=length - 1)[0]

    return chunk


def _step_key(state: State, given: Split) -> jax.Array:
    return jax.random.fold_in(jax.random.wrap_key_data(given.shared.key), state.step)


def _context(state: State, given: Split, team: Team) -> Context:
    return Context(
        given.shared.cast,
        given.own["asked"],
        given.own["index"],
        jax.random.fold_in(_step_key(state, given), _RENDERING),
        team.mean,
    )


def _update(
    phase: Phase, numbers: Any, gradients: Split, state: State, loss: jax.Array
) -> tuple[Split, Split]:
    """Updates of both parts of the parameters, and the optimisers' states."""
    optimizers = phase.descent.optimizers(numbers)
    own, own_state = update_own(
        optimizers, gradients.own, state.optimizer.own, state.params.own, loss
    )
    shared, shared_state = optax.with_extra_args_support(optimizers.shared).update(
        gradients.shared, state.optimizer.shared, state.params.shared, value=loss
    )
    return Split(own, shared), Split(own_state, shared_state)


def _respond(network: Network, variables: Any, views: jax.Array, groups: int) -> Any:
    if groups == 1:
        return network.respond(variables, views)
    parts = views.reshape(groups, -1, *views.shape[1:])
    seen = jax.vmap(network.respond, (None, 0))(variables, parts)

    def whole(tree: Any) -> Any:
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), tree)

    if isinstance(seen, Response):
        # Each group keeps moments of its own.
        return seen._replace(logits=whole(seen.logits), features=whole(seen.features))
    return whole(seen)


def _merge(seen: dict[str, Any], team: Team) -> dict[str, Any]:
    """What networks say, with the moments of all devices together."""
    return {
        role: said._replace(taps=_merge_taps(said.taps, team))
        if isinstance(said, Response)
        else said
        for role, said in seen.items()
    }


def _merge_taps(taps: Taps, team: Team) -> Taps:
    """Moments over all devices, by the law of total variance."""

    def merge(moments: Moments) -> Moments:
        mean = team.mean(moments.mean)
        return Moments(mean, team.mean(moments.var + jnp.square(moments.mean - mean)))

    return {layer: merge(moments) for layer, moments in taps.items()}


def _plateau(optimizer: Any) -> Any:
    """Factor by which a plateau has reduced the learning rate."""

    def is_plateau(node: Any) -> bool:
        return isinstance(node, ReduceLROnPlateauState)

    nodes = filter(is_plateau, jax.tree.leaves(optimizer, is_leaf=is_plateau))
    # Each image has an optimiser of its own, and all see the same loss.
    return next((jnp.max(node.scale) for node in nodes), 1.0)
