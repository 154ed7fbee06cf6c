"""The images of the lowest loss are kept, where somebody says so."""

from dataclasses import dataclass, replace
from functools import partial

import jax
import numpy as np
import pytest
from stepping import given, start

from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import BatchDone, Logged
from jinv.engine.execution import Execution
from jinv.engine.phase import TEACHER, Keep
from jinv.engine.state import BEST
from jinv.engine.step import make_step
from jinv.errors import Diverged, Interrupted
from jinv.inversion.deep import DeepInversion
from jinv.inversion.fast import FastGenerators
from jinv.inversion.make_job import make_job
from jinv.losses import cross_entropy


@dataclass(frozen=True, kw_only=True)
class Keeping(DeepInversion):
    """DeepInversion that may keep the best of its pixels."""

    keep: Keep = "best"

    def procedure(self, classifier):
        given = super().procedure(classifier)
        phases = (
            replace(phase, descent=replace(phase.descent, keep=self.keep))
            for phase in given.phases
        )
        return replace(given, phases=tuple(phases))


# Momentum carries the pixels through the lowest loss, and up again.
SWINGING = Keeping(
    steps=(12,), optimizer="sgd", betas=(0.95, 0.0), lr=16.0, schedule="constant",
    jitter=0, flip=0.0, w_class=0.0, w_bn=0.0, w_tv2=0.0, w_l2=0.3, clip=False,
)  # fmt: skip

# Steps of a generator that are far too long: losses rise as often as they fall.
LEAPING = FastGenerators(
    steps=5, rehearsals=2, latent=12, channels=16, lr=0.3, lr_latent=0.1, jitter=0,
    flip=0.0, w_bn=0.0, w_tv2=0.0, w_l2=0.0, keep="best",
)  # fmt: skip


def job(classifier, method, images=16, batch_size=8, devices=1, parallel="jit"):
    execution = Execution(
        devices=devices, parallel=parallel, log_every=1, checkpoint_every=2
    )
    return make_job(
        classifier,
        "all",
        images,
        batch_size=batch_size,
        method=method,
        execution=execution,
    )


def run(one, **options):
    """The inputs of each batch, and the losses of its steps."""
    made, losses = {}, {}

    def hear(event):
        if isinstance(event, BatchDone) and event.complete:
            made[event.position.batch] = event.made.inputs
        if isinstance(event, Logged):
            losses.setdefault(event.position.batch, []).append(event.row["loss"])

    one.run(hear, **options)
    return made, losses


def test_images_of_the_lowest_loss_are_kept(tiny):
    made, losses = run(job(tiny, SWINGING, 8))
    lowest = int(np.argmin(losses[0]))
    assert 0 < lowest < 10 and losses[0][-1] > 1.2 * losses[0][lowest]
    # After so many updates that loss was measured.
    ended = replace(SWINGING, steps=(lowest,), keep="last")
    np.testing.assert_allclose(made[0], run(job(tiny, ended, 8))[0][0], atol=1e-6)


def test_nothing_else_changes(tiny):
    """What a generator learns of how far it has come, it learns from the last."""
    two = replace(SWINGING, steps=(9,), resolutions=(4, 8))
    for method in (two, replace(LEAPING, meta="reptile")):
        best = run(job(tiny, method))[1]
        assert best == run(job(tiny, replace(method, keep="last")))[1]


def test_each_batch_has_a_lowest_loss_of_its_own(tiny):
    """Of batches between which a generator passes on."""

    def measured(inputs):
        logits = tiny.logits(tiny.variables, inputs)
        return 5 * cross_entropy(logits, np.arange(len(inputs)) % 6).mean()

    one = job(tiny, LEAPING, images=18, batch_size=6)
    made, losses = run(one)
    found = [float(jax.jit(measured)(made[batch])) for batch in range(3)]
    lowest = [min(losses[batch]) for batch in range(3)]
    np.testing.assert_allclose(found, lowest, rtol=1e-5)
    # Neither the last that was measured, nor the lowest of all batches.
    assert all(min(losses[batch]) < losses[batch][-1] for batch in (1, 2))
    assert lowest[2] < lowest[0] < lowest[1]


@pytest.mark.parametrize(
    ("method", "stop_after"), [(SWINGING, 11), (SWINGING, 20), (LEAPING, 14)]
)
def test_a_stopped_run_goes_on_to_the_same_images(tiny, tmp_path, method, stop_after):
    """Stopped where the lowest loss has been, in a first and in a later batch."""
    whole, _ = run(job(tiny, method))
    calls = iter(range(1000))
    kept = partial(Checkpoints, tmp_path / "checkpoint")
    with pytest.raises(Interrupted):
        run(
            job(tiny, method),
            should_stop=lambda: next(calls) == stop_after,
            checkpoints=kept(),
        )
    rest, _ = run(job(tiny, method), checkpoints=kept(), resume=True)
    assert 1 in rest
    for batch in rest:
        np.testing.assert_array_equal(rest[batch], whole[batch])


# Gentle steps of the generator: violent ones let rounding grow.
@pytest.mark.parametrize("parallel", ["jit", "pmap"])
@pytest.mark.parametrize(
    "method", [SWINGING, replace(LEAPING, lr=1e-4, lr_latent=1e-3)]
)
def test_two_devices_keep_what_one_keeps(tiny, method, parallel):
    (one, _), (two, _) = (
        run(job(tiny, method, devices=devices, parallel=parallel)) for devices in (1, 2)
    )
    for batch in one:
        np.testing.assert_allclose(one[batch], two[batch], atol=1e-3)


@pytest.mark.parametrize("lr", [1e10, 1e30])
def test_the_last_that_were_finite_are_kept_of_what_diverges(tiny, lr):
    events = []
    method = replace(SWINGING, w_bn=1.0, lr=lr)
    with pytest.raises(Diverged):
        job(tiny, method, 8).run(events.append)
    (done,) = [e for e in events if isinstance(e, BatchDone)]
    assert np.isfinite(done.made.inputs).all()


@pytest.mark.parametrize("keep", ["last", "best"])
def test_only_who_keeps_the_best_remembers_it(tiny, keep):
    """Checkpoints of the last are what they were before there was a choice."""
    method = replace(LEAPING, keep=keep)
    (phase,) = method.procedure(tiny).phases
    before, step = start(phase, method, 6), make_step({TEACHER: tiny}, phase)
    after, _ = jax.eval_shape(step, before, given(tiny, method, 6))
    remembered = {BEST} if keep == "best" else set()
    assert set(before.memory) == set(after.memory) == remembered
