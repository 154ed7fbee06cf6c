"""A student learns as in PyTorch, and images are made for it as there."""

from functools import partial
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jinv.engine.lesson import Learner, Lesson
from jinv.engine.placement import make_placement
from jinv.losses import (
    agreeing_divergence,
    jensen_shannon_competition,
    softened_divergence,
)
from jinv.models.operations.layers import BatchNorm, Conv
from jinv.models.weights.fitting import from_state_dict
from jinv.models.weights.state_dict import to_state_dict

RECORDED = Path(__file__).with_name("recorded")
LOSSES = {
    **{
        f"softened_{t}": partial(softened_divergence, temperature=t) for t in (1, 4, 20)
    },
    "adversarial": agreeing_divergence,
    **{
        f"competition_{t}": partial(jensen_shannon_competition, temperature=t)
        for t in (1, 3)
    },
}


def recorded(name):
    with np.load(RECORDED / f"{name}.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("wide", "rtol"), [(True, 1e-11), (False, 1e-5)])
def test_losses_and_gradients_are_those_of_pytorch(name, wide, rtol):
    arrays = recorded("losses")
    expected = arrays[name], arrays[f"{name}.teacher"], arrays[f"{name}.student"]
    with jax.enable_x64(wide):
        logits = [jnp.asarray(arrays[role]) for role in ("teacher", "student")]
        assert logits[0].dtype == (np.float64 if wide else np.float32)
        loss, gradients = jax.jit(
            jax.value_and_grad(lambda *both: LOSSES[name](*both).mean(), (0, 1))
        )(*logits)
        found = jax.device_get((loss, *gradients))
    for mine, theirs in zip(found, expected, strict=True):
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol * scale)


def test_the_recorded_images_are_seen_alike_and_differently():
    arrays = recorded("losses")
    moved = np.abs(arrays["adversarial.student"]).max(1) > 0
    assert moved.any() and not moved.all()


class Student(nn.Module):
    """The network of the record, by the same names."""

    @nn.compact
    def __call__(self, x, train=False):
        x = Conv(4, 3, stride=2, name="conv")(x)
        x = nn.relu(BatchNorm(name="bn")(x, train))
        return nn.Dense(5, name="fc")(x.mean((1, 2)))


def objective(trained, frozen, state, batch, key):
    """KL at T = 4; the teacher's answers are known."""
    images, answers = batch
    variables = {"params": trained, "batch_stats": state}
    logits, changed = Student().apply(
        variables, images, train=True, mutable="batch_stats"
    )
    loss = softened_divergence(answers, logits, 4.0).mean()
    return loss, (changed["batch_stats"], {})


def kernels(trained):
    return jax.tree.map(lambda x: x.ndim > 1, trained)


def everything(trained):
    return jax.tree.map(lambda x: True, trained)


@pytest.mark.parametrize("decayed", [kernels, everything])
def test_updates_of_a_student_are_those_of_pytorch(decayed):
    """By SGD with momentum and decay: of kernels, as ours have it, or of everything."""
    arrays = recorded("updates")
    name = {kernels: "kernels", everything: "all"}[decayed]
    images, answers, start = arrays["images"], arrays["answers"], under("start", arrays)
    shapes = jax.eval_shape(Student().init, jax.random.key(0), images[0])
    variables = from_state_dict(start, shapes, "recorded")
    lesson = Lesson(
        variables["params"],
        objective,
        optax.chain(
            optax.add_decayed_weights(1e-4, decayed), optax.sgd(0.1, momentum=0.9)
        ),
        state=variables["batch_stats"],
    )
    learner = Learner(lesson, make_placement("jit", 1, len(images[0])))
    learnt = learner.begin()
    for number, expected_loss in enumerate(arrays[f"{name}.losses"]):
        batch = images[number], answers[number]
        learnt, measured = learner.step(learnt, batch, number)
        np.testing.assert_allclose(measured["loss"], expected_loss, rtol=1e-6)
        if expected := under(f"{name}.{number + 1}", arrays):
            learned = {"params": learnt.trained, "batch_stats": learnt.state}
            found = to_state_dict(jax.device_get(learned))
            expected["bn.running_var"] = biased(
                expected["bn.running_var"], start["bn.running_var"], number + 1
            )
            assert found.keys() == expected.keys()
            for key, value in found.items():
                np.testing.assert_allclose(value, expected[key], atol=1e-6)


def under(name, arrays):
    """The state dict that is recorded under a name; empty where there is none."""
    begin = f"{name}."
    return {k.removeprefix(begin): v for k, v in arrays.items() if k.startswith(begin)}


def biased(running, start, updates):
    """What PyTorch's running variance were, if it averaged biased ones as ours does."""
    count, left = 6 * 3 * 3, 0.9**updates * start
    return left + (running - left) * (count - 1) / count


def test_the_record_tells_both_decays_apart():
    """By more than an update may differ."""
    arrays = recorded("updates")
    everywhere, kernels_alone = under("all.3", arrays), under("kernels.3", arrays)
    for key in ("bn.weight", "bn.bias", "fc.bias"):
        assert np.abs(everywhere[key] - kernels_alone[key]).max() > 5e-6
