from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import BatchDone, Frame, Logged
from jinv.engine.execution import Execution
from jinv.errors import Diverged, Interrupted
from jinv.inversion.fast import FastGenerators
from jinv.inversion.invert import invert
from jinv.inversion.make_job import make_job

SETTINGS = {"steps": (12, 8), "resolutions": (4, 8), "jitter": 1}


def job(tiny, **settings):
    execution = Execution(devices=1, log_every=4, checkpoint_every=5, frames=3)
    return make_job(
        tiny, "all", 12, batch_size=6, execution=execution, **{**SETTINGS, **settings}
    )


def images_of(events):
    return np.concatenate([e.made.inputs for e in events if isinstance(e, BatchDone)])


@pytest.fixture(scope="module")
def whole(tiny):
    """The events and the outcome of a run that nothing stops."""
    events = []
    outcome = job(tiny).run(events.append)
    return events, outcome


def test_events_tell_the_whole_story(whole):
    events, outcome = whole
    logged = [e.position for e in events if isinstance(e, Logged)]
    seen = [(p.batch, p.phase, p.step) for p in logged]
    one = [(0, 4), (0, 8), (0, 12), (1, 4), (1, 8)]
    assert seen == [(batch, *rest) for batch in (0, 1) for rest in one]
    frames = [e for e in events if isinstance(e, Frame)]
    assert {f.position.batch for f in frames} == {0}
    assert frames[-1].position.step == 8
    assert [f.made.inputs.shape[1] for f in frames] == [4] * 3 + [8] * 3
    assert images_of(events).shape == (12, 8, 8, 3)
    assert outcome.passes == 2 * 6 * 20


def test_the_loss_falls(tiny):
    execution = Execution(devices=1, log_every=2)
    rows = invert(tiny, "all", 12, steps=(60,), resolutions=(), execution=execution).log
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]


@pytest.mark.parametrize("stop_after", [14, 27])
def test_a_stopped_run_goes_on_to_the_same_images(tiny, whole, tmp_path, stop_after):
    """Stopped in the second phase, and in the first one of the second batch."""
    calls = iter(range(1000))
    first, rest = [], []
    with pytest.raises(Interrupted):
        job(tiny).run(
            first.append,
            lambda: next(calls) == stop_after,
            Checkpoints(tmp_path / "checkpoint"),
        )
    job(tiny).run(
        rest.append, checkpoints=Checkpoints(tmp_path / "checkpoint"), resume=True
    )
    done = [e for e in first + rest if isinstance(e, BatchDone) and e.complete]
    np.testing.assert_array_equal(images_of(done), images_of(whole[0]))


def test_a_batch_costs_what_all_its_sessions_took(tiny, tmp_path, monkeypatch):
    clock = SimpleNamespace(monotonic=map(float, range(10_000)).__next__)
    monkeypatch.setattr("jinv.engine.session.time", clock)
    calls, costs = iter(range(1000)), []

    def keep(event):
        if isinstance(event, BatchDone):
            costs.append(event.cost)

    kept = Checkpoints(tmp_path / "checkpoint")
    with pytest.raises(Interrupted):
        job(tiny).run(keep, lambda: next(calls) == 14, kept)
    job(tiny).run(keep, checkpoints=kept, resume=True)
    cut_short, whole, other = costs
    assert whole.seconds > cut_short.seconds > 0
    assert whole.passes == other.passes == 6 * 20


def test_a_diverging_run_delivers_its_last_finite_images(tiny):
    events = []
    with pytest.raises(Diverged, match="lower the learning rate"):
        job(tiny, lr=1e30, optimizer="sgd", clip=False).run(events.append)
    (done,) = [e for e in events if isinstance(e, BatchDone)]
    assert not done.complete
    assert np.isfinite(done.made.inputs).all()


def test_a_phase_ends_when_patience_does(tiny):
    execution = Execution(devices=1, log_every=5)
    rows = invert(
        tiny,
        "all",
        6,
        patience=0.1,
        execution=execution,
        steps=(200,),
        resolutions=(),
        lr=1e-12,
        jitter=0,
        flip=0.0,
    ).log
    assert rows[-1]["step"] < 100


def make_impatient(tiny, log_every=25, steps=(200,), resolutions=()):
    """A phase that noise in its loss makes patience end.

    Where it ends is for the machine's rounding to say, but it is somewhere.
    """
    execution = Execution(devices=1, log_every=log_every)
    return make_job(
        tiny,
        "all",
        6,
        patience=0.1,
        execution=execution,
        steps=steps,
        resolutions=resolutions,
        lr=0.3,
        schedule="constant",
    )


def impatient(tiny, log_every=25, **options):
    """Its images, and the last step."""
    events = []
    make_impatient(tiny, log_every).run(events.append, **options)
    ends = [event.position.step for event in events if isinstance(event, Logged)]
    return images_of(events), ends[-1]


@pytest.fixture(scope="module")
def early(tiny):
    images, end = impatient(tiny)
    assert end < 200 and end % 25 == 0
    return images, end


@pytest.mark.parametrize("log_every", [1, 7, 1000])
def test_patience_does_not_ask_how_often_a_run_logs(tiny, early, log_every):
    images, end = impatient(tiny, log_every)
    assert end == early[1]
    np.testing.assert_array_equal(images, early[0])


def test_patience_does_not_ask_where_a_run_was_stopped(tiny, early, tmp_path):
    calls = iter(range(100))
    checkpoints = partial(Checkpoints, tmp_path / "checkpoint")
    with pytest.raises(Interrupted, match="step 33"):
        impatient(
            tiny, should_stop=lambda: next(calls) == 32, checkpoints=checkpoints()
        )
    images, end = impatient(tiny, checkpoints=checkpoints(), resume=True)
    assert end == early[1]
    np.testing.assert_array_equal(images, early[0])


def test_a_phase_that_patience_ended_is_done_for_who_goes_on(tiny, tmp_path):
    """Stopped at the very step: what goes on makes no step more of that phase."""
    job = make_impatient(tiny, steps=(200, 2), resolutions=(4, 8))
    events, calls = [], iter(range(300))
    whole = job.run(events.append)
    logged = [e.position for e in events if isinstance(e, Logged)]
    end = max(position.step for position in logged if position.phase == 0)
    assert end < 200
    checkpoints = partial(Checkpoints, tmp_path / "checkpoint")
    with pytest.raises(Interrupted):
        job.run(lambda _: None, lambda: next(calls) == end - 1, checkpoints())
    rest = []
    outcome = job.run(rest.append, checkpoints=checkpoints(), resume=True)
    np.testing.assert_array_equal(images_of(rest), images_of(events))
    assert outcome.passes == whole.passes == 6 * (end + 2)


def test_who_stops_when_a_batch_is_done_has_it_whole(tiny, tmp_path):
    """What is measured at its last step is told too; and the last batch ends all."""
    kept, first, rest = Checkpoints(tmp_path / "checkpoint"), [], []
    calls = iter(range(100))
    with pytest.raises(Interrupted, match="before batch 1"):
        job(tiny).run(first.append, lambda: next(calls) == 19, kept)
    (done,) = (e for e in first if isinstance(e, BatchDone))
    assert done.complete and done.position.batch == 0
    outcome = job(tiny).run(
        rest.append, lambda: next(calls) == 39, checkpoints=kept, resume=True
    )
    assert [e.position.batch for e in rest if isinstance(e, BatchDone)] == [1]
    assert outcome.passes == 2 * 6 * 20


@pytest.mark.parametrize("chunk", [1, 10, 50])
def test_patience_does_not_ask_how_many_steps_are_one_program(tiny, chunk):
    """The loss stays as it is, so that the second comparison ends the phase."""
    result = invert(
        tiny,
        "all",
        6,
        execution=Execution(devices=1, chunk=chunk),
        patience=0.1,
        steps=(200,),
        resolutions=(),
        lr=1e-12,
        jitter=0,
        flip=0.0,
    )
    assert result.outcome.passes == 6 * 50


def test_patience_counts_on_over_batches_where_something_passes_on(tiny):
    """Batches compare at step 25; at 10 and 35, which ends it; and at 25."""
    still = FastGenerators(
        steps=40,
        rehearsals=0,
        lr=1e-12,
        lr_latent=1e-12,
        w_bn=0.0,
        jitter=0,
        flip=0.0,
        latent=4,
        channels=16,
        patience=0.5,
    )

    def passes(chunk):
        execution = Execution(devices=1, chunk=chunk, log_every=1000)
        job = make_job(tiny, "all", 18, batch_size=6, method=still, execution=execution)
        return job.run().passes

    assert passes(1) == passes(50) == 6 * (40 + 35 + 40)


def test_a_loss_that_is_no_number_is_no_end_of_patience(tiny):
    execution = Execution(devices=1, log_every=1000)
    with pytest.raises(Diverged, match="step 25"):
        invert(
            tiny,
            "all",
            6,
            patience=0.1,
            execution=execution,
            steps=(100,),
            resolutions=(),
            lr=1e30,
            optimizer="sgd",
            clip=False,
        )


def test_batches_are_filled_up_and_the_surplus_is_dropped(tiny):
    result = invert(
        tiny,
        "cat,dog",
        7,
        batch_size=4,
        steps=(2,),
        resolutions=(),
        execution=Execution(devices=1),
    )
    assert result.images.shape == (7, 8, 8, 3)
    np.testing.assert_array_equal(result.labels, [2, 3, 2, 3, 2, 3, 2])
    assert result.images.min() >= 0 and result.images.max() <= 1


def test_images_do_not_depend_on_how_many_follow(tiny):
    def some(images):
        return invert(
            tiny,
            "all",
            images,
            batch_size=6,
            steps=(3,),
            execution=Execution(devices=1),
        ).images

    np.testing.assert_array_equal(some(6), some(12)[:6])
