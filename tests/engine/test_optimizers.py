import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jinv.engine.frequencies import scale_by_frequency
from jinv.engine.meta_learning import meta_learnt
from jinv.engine.optimizers import (
    adagrad_with_momentum,
    make_optimizer,
    make_schedule,
)
from jinv.errors import ConfigError


def rates(name, warmup=0):
    schedule = make_schedule(name, 0.5, 100, warmup)
    return np.array([float(schedule(step)) for step in range(101)])


def test_cosine_falls_to_zero_along_half_a_wave():
    expected = 0.25 * (1 + np.cos(np.pi * np.arange(101) / 100))
    np.testing.assert_allclose(rates("cosine"), expected, atol=1e-6)


def test_warm_up_is_linear_and_reaches_the_peak():
    found = rates("cosine", warmup=20)
    np.testing.assert_allclose(found[:21], 0.5 * np.arange(21) / 20, atol=1e-6)
    assert found.argmax() == 20
    assert abs(found[100]) < 1e-6


def test_step_cuts_to_a_tenth_twice():
    np.testing.assert_allclose(
        rates("step")[[0, 49, 51, 74, 76]], [0.5, 0.5, 0.05, 0.05, 0.005], rtol=1e-5
    )


def test_exponential_ends_at_a_hundredth():
    found = rates("exponential")
    np.testing.assert_allclose(found[[0, 50, 100]], [0.5, 0.05, 0.005], rtol=1e-5)


def test_a_plateau_cuts_the_rate():
    optimizer = make_optimizer("sgd", lambda step: 1.0, (0.0, 0.0), patience=3)
    params = jnp.zeros(())
    state = optimizer.init(params)
    sizes = []
    for _ in range(8):
        update, state = optimizer.update(jnp.ones(()), state, params, value=1.0)
        sizes.append(float(update))
    assert sizes[0] == -1.0
    np.testing.assert_allclose(sizes[-1], -0.01, rtol=1e-5)


def test_adam_is_the_one_of_optax():
    ours = make_optimizer("adam", lambda step: 0.1, (0.5, 0.9))
    theirs = optax.adam(0.1, 0.5, 0.9)
    params, gradient = jnp.ones(3), jnp.array([1.0, -2.0, 3.0])
    found, _ = ours.update(gradient, ours.init(params), params, value=0.0)
    expected, _ = theirs.update(gradient, theirs.init(params), params)
    np.testing.assert_array_equal(found, expected)


def test_long_gradients_are_cut_to_a_norm_and_short_ones_are_not():
    optimizer = make_optimizer("sgd", lambda step: 1.0, (0.0, 0.0), max_norm=2.0)
    state = optimizer.init(jnp.zeros(2))
    for gradient, step in (([3.0, -4.0], [-1.2, 1.6]), ([0.3, -0.4], [-0.3, 0.4])):
        found, _ = optimizer.update(jnp.array(gradient), state)
        np.testing.assert_allclose(found, step, rtol=1e-6)


def test_endless_warm_ups_are_refused():
    with pytest.raises(ConfigError, match="needs more than 10 steps"):
        make_schedule("cosine", 0.1, 10, warmup=10)


def gradient_of(x):
    """The gradient of a bowl that is steep in one direction, and flat in another."""
    return x * np.array([1.0, 30.0, 0.01]) + np.array([3.0, -50.0, 1e-4])


def adagrad_as_published(x, rates):
    total, m = 0 * x, 0 * x
    for rate in rates:
        g = gradient_of(x)
        total = 0.9 * total + g**2
        m = 0.9 * m - g / (1 / rate + np.sqrt(total))
        x = x + m
        yield x


@pytest.mark.parametrize("cut", [3, 10])
def test_ten_steps_of_adagrad_are_those_of_the_published_code(cut):
    rates = [0.02] * cut + [0.002] * (10 - cut)
    start = np.array([1.0, -0.3, 0.2])
    with jax.enable_x64(True):

        def optimizer(peak):  # numbers are data
            return adagrad_with_momentum(
                optax.piecewise_constant_schedule(peak, {cut: 0.1})
            )

        @jax.jit
        def step(x, state, peak):
            updates, state = optimizer(peak).update(gradient_of(x), state, x)
            return optax.apply_updates(x, updates), state

        x = jnp.asarray(start)
        state = optimizer(0.0).init(x)
        for expected in adagrad_as_published(start, rates):
            x, state = step(x, state, 0.02)
            assert x.dtype == jnp.float64
            np.testing.assert_allclose(x, expected, rtol=1e-9)


def test_adagrad_takes_no_step_at_a_rate_of_0_and_none_without_a_gradient():
    for rate, gradient in ((0.0, 5.0), (1e4, 0.0)):
        optimizer = adagrad_with_momentum(rate)
        state = optimizer.init(jnp.zeros(1))
        updates, _ = optimizer.update(jnp.full(1, gradient), state)
        np.testing.assert_array_equal(updates, [0.0])


def test_each_image_has_a_momentum_of_its_own():
    optimizer = adagrad_with_momentum(optax.piecewise_constant_schedule(0.1, {2: 0.1}))
    gradients = jax.random.normal(jax.random.key(0), (3, 5))
    states, alone = jax.vmap(optimizer.init)(gradients), optimizer.init(gradients[1])
    for _ in range(4):
        both, states = jax.vmap(lambda g, s: optimizer.update(g, s))(gradients, states)
        single, alone = optimizer.update(gradients[1], alone)
        np.testing.assert_allclose(both[1], single, rtol=1e-6)


def test_normalised_steps_have_the_size_of_the_rate_on_average():
    optimizer = make_optimizer("normalised", optax.constant_schedule(0.5))
    gradient = jnp.array([[1e-20, -3e-20], [0.0, 2e-20]])
    updates, state = optimizer.update(gradient, optimizer.init(gradient))
    expected = [[-1 / 3, 1.0], [0.0, -2 / 3]]
    np.testing.assert_allclose(updates, expected, rtol=1e-5)
    still, _ = optimizer.update(jnp.zeros((2, 2)), state)
    np.testing.assert_array_equal(still, 0)


def scaled(power, update):
    transformation = scale_by_frequency(power)
    return transformation.update(update, transformation.init(update))[0]


def test_a_wave_is_divided_by_a_power_of_its_frequency():
    columns = np.arange(16) / 16
    waves = [np.cos(2 * np.pi * count * columns) for count in (1, 2, 4)]
    update = jnp.asarray(np.tile(np.stack(waves)[:, None, :, None], (1, 12, 1, 3)))
    for power in (0.5, 1.0):
        found = scaled(power, update)
        first = found[0, 0, 0, 0]  # a peak of all three
        for wave, count in enumerate((1, 2, 4)):
            expected = first * update[wave] / count**power
            np.testing.assert_allclose(found[wave], expected, atol=1e-5)


@pytest.mark.parametrize("size", [(32, 32), (9, 15)])
def test_noise_keeps_its_size_and_becomes_smoother(size):
    noise = jax.random.normal(jax.random.key(0), (200, *size, 3))
    smooth = scaled(1.0, noise)
    assert smooth.shape == noise.shape
    np.testing.assert_allclose(jnp.std(smooth), 1, rtol=0.1)
    assert jnp.std(jnp.diff(smooth, axis=1)) < 0.7 * jnp.std(jnp.diff(noise, axis=1))
    np.testing.assert_array_equal(scaled(0.0, noise), noise)


@pytest.mark.parametrize(
    ("rule", "first", "second"),
    [
        # The sum of a task's gradients, then the sum of the next one's.
        ("maml", 1.0 - 0.1 * (2 + 4), 0.4 - 0.1 * (1 + 1)),
        # How far a task moved from where it began.
        ("reptile", 1.0 - 0.1 * 0.5 * (2 + 4), 0.7 - 0.1 * 0.5 * (1 + 1)),
    ],
)
def test_what_each_task_teaches_moves_the_start_of_the_next(rule, first, second):
    learnt = meta_learnt(optax.sgd(0.5), optax.sgd(0.1), rule)
    params = jnp.float32(1.0)
    state = learnt.optimizer.init(params)
    for gradients, expected in (((2.0, 4.0), first), ((1.0, 1.0), second)):
        start = params
        for gradient in gradients:
            updates, state = learnt.optimizer.update(
                jnp.float32(gradient), state, params
            )
            params = optax.apply_updates(params, updates)
        np.testing.assert_allclose(params, start - 0.5 * sum(gradients), rtol=1e-6)
        params, state = learnt.settle(params, state)
        np.testing.assert_allclose(params, expected, rtol=1e-6)


def test_the_outer_optimiser_remembers_and_the_inner_one_forgets():
    learnt = meta_learnt(optax.sgd(1.0, momentum=0.9), optax.sgd(1.0, momentum=0.9))
    params = jnp.float32(0.0)
    state = learnt.optimizer.init(params)
    starts = []
    for _ in range(2):
        starts.append(float(params))
        updates, state = learnt.optimizer.update(jnp.float32(1.0), state, params)
        assert float(updates) == -1.0
        params, state = learnt.settle(optax.apply_updates(params, updates), state)
    # -1, and then another -1 with nine tenths of the one before.
    assert starts[1] == -1.0
    np.testing.assert_allclose(params, -1.0 - 1.9, rtol=1e-6)
