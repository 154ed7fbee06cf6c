from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
from stepping import given, start

from jinv.engine.phase import TEACHER, Term
from jinv.engine.step import make_chunk, make_step
from jinv.inversion.deep import DeepInversion
from jinv.losses import bn_loss


def test_a_step_descends_the_published_objective(tiny):
    """The update equals one made by hand from the formulas."""
    config = DeepInversion(
        steps=(10,), jitter=0, flip=0.0, optimizer="sgd", betas=(0.0, 0.0),
        schedule="constant", lr=0.5, w_bn=0.3, k_first=10.0, w_tv2=0.2, w_l2=0.1,
        clip=False,
    )  # fmt: skip
    (phase,) = config.procedure(tiny).phases
    state = start(phase, config, 6)
    step = jax.jit(make_step({TEACHER: tiny}, phase))
    after, metrics = step(state, given(tiny, config, 6))

    def objective(x):
        logits, taps, _ = tiny.respond(tiny.variables, x)
        running = tiny.running_moments(tiny.variables)
        first = tiny.batchnorm_names[0]
        weights = {name: 10.0 if name == first else 1.0 for name in running}
        cross_entropy = optax.softmax_cross_entropy_with_integer_labels(
            logits, jnp.arange(6) % 6
        ).mean()
        differences = (
            x[:, :, 1:] - x[:, :, :-1],
            x[:, 1:] - x[:, :-1],
            x[:, 1:, 1:] - x[:, :-1, :-1],
            x[:, 1:, :-1] - x[:, :-1, 1:],
        )
        norms = sum(jnp.sqrt((d**2).sum((1, 2, 3))) for d in differences)
        l2 = jnp.sqrt((x**2).sum((1, 2, 3)))
        feature = bn_loss(taps, running, weights)
        return cross_entropy + 0.3 * feature + 0.2 * norms.mean() + 0.1 * l2.mean()

    loss, gradient = jax.jit(jax.value_and_grad(objective))(state.params.own)
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-5)
    expected = state.params.own - 0.5 * gradient
    np.testing.assert_allclose(after.params.own, expected, atol=1e-5)


def test_a_chunk_is_so_many_steps(tiny):
    config = DeepInversion(steps=(10,), lr=0.01)
    (phase,) = config.procedure(tiny).phases
    step = make_step({TEACHER: tiny}, phase)
    state, read = start(phase, config, 6), given(tiny, config, 6)
    one = jax.jit(step)
    for _ in range(4):
        state, metrics = one(state, read)
    joined, last = jax.jit(make_chunk(step, 4))(start(phase, config, 6), read)
    assert int(joined.step) == 4
    np.testing.assert_allclose(joined.params.own, state.params.own, atol=1e-4)
    np.testing.assert_allclose(last["loss"], metrics["loss"], rtol=1e-4)


def test_after_a_loss_that_is_no_number_the_last_parameters_are_kept(tiny):
    config = DeepInversion(steps=(10,))
    (plain,) = config.procedure(tiny).phases
    poison = Term("poison", lambda e: jnp.where(e.inputs.sum() > -1e9, jnp.nan, 0))
    phase = replace(plain, wanted=(*plain.wanted, poison))
    before = start(phase, config, 6)
    step = jax.jit(make_step({TEACHER: tiny}, phase))
    after, metrics = step(before, given(tiny, config, 6))
    assert not metrics["finite"] and not after.finite
    np.testing.assert_array_equal(after.params.own, before.params.own)


def test_the_learning_rate_in_the_log_follows_a_plateau(tiny):
    config = DeepInversion(steps=(40,), schedule="plateau", lr=1e-9)
    (phase,) = config.procedure(tiny).phases
    step = jax.jit(make_step({TEACHER: tiny}, phase))
    state, read = start(phase, config, 6), given(tiny, config, 6)
    for _ in range(40):
        state, metrics = step(state, read)
    assert float(metrics["learning_rate"]) < 0.2e-9
