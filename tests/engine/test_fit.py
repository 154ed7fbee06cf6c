import json
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import repeat

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import Begun, Compiled, Far, Learning, Measured
from jinv.engine.fit import Course
from jinv.engine.fit import fit as fit_in
from jinv.engine.lesson import Learner, Lesson
from jinv.engine.optimizers import make_optimizer
from jinv.engine.placement import make_placement
from jinv.errors import DataError, Diverged, FolderError, Interrupted
from jinv.folders import Folder, Kind
from jinv.models.loading import make_classifier

KIND = Kind("lesson", "lesson", owned=("checkpoint", "metrics.jsonl"))
ONE = make_placement("jit", 1, 16)


def fit(lesson, course, path, of=(), **options):
    """Teach in a folder that is taken for it."""
    with Folder(path, KIND, dict(of)) as folder:
        return fit_in(lesson, course, ONE, folder, **options)


class Killed(Exception):
    """Nothing is done any more, as where a process was killed."""


def features_lesson(tiny) -> Lesson:
    """A network of random weights learns what another makes of the same images."""

    def objective(trained, frozen, state, batch, key):
        inputs = tiny.normalise(batch)
        inputs += 0.01 * jax.random.normal(key, inputs.shape)
        mine = tiny.features({"params": trained, "batch_stats": state}, inputs)
        meant = tiny.features(frozen, inputs)
        error = jnp.mean((mine["stage2"] - meant["stage2"]) ** 2)
        return error, (state, {"spread": jnp.std(mine["stage2"])})

    pupil = make_classifier(tiny.spec, seed=1).variables
    return Lesson(
        pupil["params"],
        objective,
        optax.adam(0.01),
        frozen=tiny.variables,
        state=pupil["batch_stats"],
    )


def features_course(stripes, killed=None) -> Course:
    """Three epochs of six batches; killed where the batch of this number is made."""
    images = stripes[0].images

    def batches(epoch, first):
        order = np.random.default_rng(epoch).permutation(len(images))
        for step in range(first, 6):
            if (epoch, step) == killed:
                raise Killed
            yield images[order[16 * step :][:16]]

    return Course(3, 6, batches, lambda _, trained, state: {"weights": len(trained)})


@pytest.fixture
def teach(tiny, stripes, tmp_path):
    """Teaches it; returns what was learnt, and the rows less their seconds."""

    def run(name, killed=None, **options):
        folder, course = tmp_path / name, features_course(stripes, killed)
        options = {"checkpoint_seconds": 0, **options}
        lesson = features_lesson(tiny)
        learnt = fit(lesson, course, folder, {"of": "features"}, **options)
        rows = (folder / "metrics.jsonl").read_text().splitlines()
        return learnt, [{**json.loads(row), "seconds": 0} for row in rows]

    return run


def test_a_lesson_killed_within_an_epoch_ends_with_the_same_bytes(teach):
    whole, rows = teach("whole", checkpoint_seconds=60)
    with pytest.raises(Killed):
        teach("parts", killed=(1, 4))
    learnt, again = teach("parts")
    jax.tree.map(np.testing.assert_array_equal, learnt, whole)
    assert again == rows and [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[2]["loss"] < rows[0]["loss"] and rows[0]["spread"] > 0


def test_a_lesson_that_is_stopped_loses_no_step(teach):
    whole, rows = teach("whole")
    asked = iter(range(100))
    with pytest.raises(Interrupted, match="epoch 2 of 3; the 3 of its 6 steps"):
        teach("parts", should_stop=lambda: next(asked) == 8, checkpoint_seconds=60)
    events = []
    learnt, again = teach("parts", on_event=events.append)
    jax.tree.map(np.testing.assert_array_equal, learnt, whole)
    assert again == rows
    begun, compiled, first = events[:3]
    assert begun == Begun(Far(9, 18))
    assert isinstance(compiled, Compiled) and compiled.seconds > 0
    assert first.far == Far(10, 18) and isinstance(first, Learning)
    assert events[-1].far == Far(18, 18) and isinstance(events[-1], Measured)


def test_a_few_steps_can_be_taken_without_a_folder(tiny, stripes, teach):
    whole, _ = teach("whole")
    learner = Learner(features_lesson(tiny), ONE)
    learnt, pool = learner.begin(), features_course(stripes)
    for number in range(18):
        (batch,) = list(pool.batches(number // 6, number % 6))[:1]
        learnt, measured = learner.step(learnt, batch, number)
    jax.tree.map(np.testing.assert_array_equal, learnt, whole)
    assert measured.keys() == {"loss", "spread"}


def test_what_diverges_leaves_what_was_finite(tmp_path):
    def objective(trained, frozen, state, batch, key):
        return jnp.sum(trained) * jnp.mean(batch), ((), {})

    def batches(epoch, first):
        for step in range(first, 4):
            yield np.full((16, 1), np.inf if step == 2 else 1.0, np.float32)

    lesson = Lesson(np.ones(2, np.float32), objective, optax.sgd(0.25), advice="slowly")
    with pytest.raises(Diverged, match="loss became inf in epoch 1: slowly, with --ov"):
        fit(lesson, Course(1, 4, batches), tmp_path, checkpoint_seconds=0)
    with closing(Checkpoints(tmp_path / "checkpoint")) as kept:
        assert kept.notes()["step"] == 2
        state = Learner(lesson, ONE).begin()._asdict()
        np.testing.assert_array_equal(kept.restore(state)["trained"], [0.5, 0.5])


@pytest.fixture
def nothing():
    """A lesson that learns nothing, and measures a thing that is no number."""

    def objective(trained, frozen, state, batch, key):
        return jnp.sum(trained) * jnp.mean(batch), ((), {"odd": jnp.nan})

    return Lesson(np.ones(2, np.float32), objective, optax.sgd(0.0))


def test_a_measurement_may_be_no_number(nothing, tmp_path):
    course = Course(1, 4, lambda epoch, first: iter([np.ones((2, 1))] * (4 - first)))
    asked = iter(range(9))
    with pytest.raises(Interrupted):
        stop = partial(next, map(lambda step: step == 1, asked))
        fit(nothing, course, tmp_path, should_stop=stop)
    events = []
    fit(nothing, course, tmp_path, on_event=events.append)
    assert events[-1].far == Far(4, 4) and np.isnan(events[-1].row["odd"])


def test_a_rate_falls_where_the_loss_does_not():
    def objective(trained, frozen, state, batch, key):
        return 0.0 * jnp.sum(trained) + jnp.mean(batch), ((), {})

    optimizer = make_optimizer("sgd", lambda _: 0.5, patience=2)
    lesson = Lesson(np.ones(2, np.float32), objective, optimizer)
    learner = Learner(lesson, ONE)
    learnt, scales = learner.begin(), []
    for number in range(4):
        learnt, _ = learner.step(learnt, np.ones((16, 1), np.float32), number)
        scales.append(float(learnt.optimizer[1].scale))
    assert scales == pytest.approx([1, 1, 0.1, 0.1])


def test_an_epoch_has_as_many_batches_as_its_course_says(nothing, tmp_path):
    endless = Course(2, 3, lambda epoch, first: repeat(np.ones((2, 1))))
    events = []
    fit(nothing, endless, tmp_path / "endless", on_event=events.append)
    assert events[-1].far == Far(6, 6)
    short = Course(1, 3, lambda epoch, first: iter([np.ones((2, 1))] * 2))
    with pytest.raises(DataError, match="epoch 1: expected 3 batches, found 2"):
        fit(nothing, short, tmp_path / "short")


def before(folder, lesson, notes):
    """Leave what a version left that kept whole epochs only."""
    learnt = Learner(lesson, ONE).begin()
    names = {"batch_stats": learnt.state, "trained": learnt.trained}
    with closing(Checkpoints(folder / "checkpoint")) as checkpoints:
        checkpoints.save({**names, "optimizer": learnt.optimizer}, notes)


def test_work_of_whole_epochs_is_gone_on_with(tiny, stripes, tmp_path):
    lesson = features_lesson(tiny)
    before(tmp_path, lesson, {"epoch": 1})
    (tmp_path / "config.json").write_text('{"lesson": {"of": "features"}}')
    rows = []
    course, of = features_course(stripes), {"of": "features"}
    fit(lesson, course, tmp_path, of, on_event=rows.append)
    assert [one.row["epoch"] for one in rows if isinstance(one, Measured)] == [2, 3]
    with pytest.raises(FolderError, match="another configuration"):
        fit(lesson, course, tmp_path, {"of": "others"})


@pytest.mark.parametrize("notes", [{"batch": 1}, {"epoch": "one"}, {"epoch": -1}])
def test_foreign_notes_are_refused(tiny, stripes, tmp_path, notes):
    lesson = replace(features_lesson(tiny), seed=1)
    before(tmp_path, lesson, notes)
    (tmp_path / "config.json").write_text('{"lesson": {}}')
    with pytest.raises(FolderError, match="notes are not those of a lesson"):
        fit(lesson, features_course(stripes), tmp_path)


def levels(*names):
    """A lesson that measures the level of its batches under some names."""

    def objective(trained, frozen, state, batch, key):
        value = jnp.mean(batch) + trained
        return value, (state, dict.fromkeys(names, value))

    return Lesson(np.float32(0), objective, optax.set_to_zero())


def rising(epoch, first):
    return (np.full(16, step, np.float32) for step in range(first, 4))


def test_what_was_not_measured_from_the_beginning_has_the_mean_of_the_rest(tmp_path):
    """As where an earlier version, which measured less, was stopped in an epoch."""
    course, asked = Course(2, 4, rising), iter([False, True])
    with pytest.raises(Interrupted):
        fit(levels(), course, tmp_path, should_stop=lambda: next(asked))
    fit(levels("level"), course, tmp_path)
    first, second = map(json.loads, (tmp_path / "metrics.jsonl").open())
    assert first["loss"] == 1.5 and first["level"] == 2.5
    assert second["loss"] == second["level"] == 1.5


def test_a_mean_is_over_the_steps_that_measure(tmp_path):
    """As where two take turns: each step tells what its own one did."""

    def objective(trained, frozen, state, batch, key):
        # Batches of other sizes are of other programs.
        value = jnp.mean(batch) + trained
        odd = batch.shape[0] == 32
        return value, (state, {"loss": None, "odd": value} if odd else {})

    def batches(epoch, first):
        yield from (
            np.full(16 * (1 + step % 2), step, np.float32) for step in range(first, 4)
        )

    lesson = Lesson(np.float32(0), objective, optax.set_to_zero())
    course, asked = Course(1, 4, batches), iter([False, False, True])
    with pytest.raises(Interrupted):
        fit(lesson, course, tmp_path, should_stop=lambda: next(asked))
    events = []
    fit(lesson, course, tmp_path, on_event=events.append)
    (row,) = map(json.loads, (tmp_path / "metrics.jsonl").open())
    assert row["loss"] == (0 + 2) / 2 and row["odd"] == (1 + 3) / 2
    # Who looks after a step of one alone is told the other's too.
    looked = [event.row for event in events if isinstance(event, Learning)]
    assert looked[-1] == {"loss": 1, "odd": 3}
