"""What made the data is found again."""

import jax
import jax.numpy as jnp
import numpy as np

from jinv.engine.lesson import Learner
from jinv.engine.placement import make_placement
from jinv.losses import potential
from jinv.priors.config import PriorConfig
from jinv.priors.form import Form, Subject
from jinv.priors.lessons import make_lesson

RNG = np.random.default_rng(0)


def learnt_filters(data, **settings):
    """Filters (filters, dimensions) that score matching finds for data (n, d)."""
    config = PriorConfig(dc="keep", batch_size=500, last_lr=3e-4, **settings)
    form = Form(Subject(1), 1, data.shape[1], expert=config.expert)
    patches = data.astype(np.float32)[:, None, :, None]
    taught = make_lesson(form, config, patches)
    examples = taught.prepare(patches)
    learner = Learner(taught.lesson, make_placement("jit", 1, 500))
    learnt = learner.begin()
    for number in range(config.steps):
        chosen = RNG.integers(len(examples), size=500)
        learnt, _ = learner.step(learnt, examples[chosen], number)
    found = taught.variables(learnt.trained, taught.lesson.frozen)["filters"]
    return np.asarray(found).reshape(config.filters, -1)


def likeness(filters, truth):
    """Median over the true filters of the |cos| of the nearest that was found."""

    def unit(rows):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    return np.median(np.abs(unit(filters) @ unit(truth).T).max(0))


def test_mixed_laplacian_sources_are_told_apart():
    mixing = RNG.normal(size=(6, 6))
    data = RNG.laplace(size=(8000, 6)) @ mixing.T
    found = learnt_filters(data, expert="logistic", filters=6, steps=400, lr=0.03)
    assert likeness(found, np.linalg.inv(mixing)) >= 0.95


def test_an_overcomplete_model_is_found_from_its_own_samples():
    filters = RNG.normal(size=(16, 8))
    for _ in range(100):  # a tight frame of equal norms: no two are nearly alike
        left, _, right = np.linalg.svd(filters, full_matrices=False)
        filters = left @ right
        filters *= 1.4 / np.linalg.norm(filters, axis=1, keepdims=True)
    data = np.asarray(samples(filters.astype(np.float32)))
    found = learnt_filters(data, expert="student-t", filters=16, steps=900, lr=0.03)
    assert likeness(found, filters) >= 0.9


@jax.jit
def samples(filters):
    """Samples of a product of Student-t experts, by Metropolis-adjusted Langevin."""
    chains, moves, rate = 1000, 400, 0.15

    def log_density(x):
        return jnp.sum(potential(x @ filters.T, "student-t"), -1)

    def slope(x):
        return jax.grad(lambda x: jnp.sum(log_density(x)))(x)

    def transition(old, new):
        """Logarithm of how likely a move is, but for a constant."""
        return -jnp.sum(jnp.square(new - old - rate * slope(old)), -1) / (4 * rate)

    def move(x, key):
        noise = jax.random.normal(key, x.shape)
        y = x + rate * slope(x) + jnp.sqrt(2 * rate) * noise
        gain = log_density(y) - log_density(x) + transition(y, x) - transition(x, y)
        toss = jnp.log(jax.random.uniform(jax.random.fold_in(key, 1), gain.shape))
        x = jnp.where((toss < gain)[:, None], y, x)
        return x, x

    first = jax.random.normal(jax.random.key(0), (chains, filters.shape[1]))
    keys = jax.random.split(jax.random.key(1), moves)
    _, found = jax.lax.scan(move, first, keys)
    return found[moves // 4 :: 30].reshape(-1, filters.shape[1])
