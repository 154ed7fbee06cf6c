"""The engine carries questions that none of its methods asks: three that are new."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import BatchDone, Logged
from jinv.engine.execution import Execution
from jinv.engine.phase import STUDENT, TEACHER, Term
from jinv.errors import ConfigError
from jinv.inversion.deep import DeepInversion
from jinv.inversion.job import Job
from jinv.inversion.request import Request
from jinv.losses import l1_disagreement
from jinv.models.loading import make_classifier

ONE = Execution(devices=1, log_every=1, checkpoint_every=2)


@dataclass(frozen=True, kw_only=True)
class Wanting(DeepInversion):
    """DeepInversion with another objective: only what is wanted differs."""

    wanted: tuple[Term, ...]

    def procedure(self, classifier):
        given = super().procedure(classifier)
        phases = (replace(phase, wanted=self.wanted) for phase in given.phases)
        return replace(given, phases=tuple(phases))


@dataclass(frozen=True, eq=False)
class Arrays(Request):
    """One array for each image, whatever it means."""

    name: str
    array: np.ndarray

    @property
    def count(self):
        return len(self.array)

    def asked(self, numbers):
        return {self.name: self.array[numbers]}

    def describe(self):
        return {self.name: self.array.tolist()}

    def about(self):
        return f"{self.count} images by {self.name}"

    def names_of(self, numbers, images):
        return [f"{self.name} {number}" for number in numbers]


def made(job, classifier):
    """Features of the images that a job makes."""
    done = [event.made for event in job.session() if isinstance(event, BatchDone)]
    inputs = np.concatenate([batch.inputs for batch in done])
    return classifier.features(classifier.variables, inputs)


def test_a_target_for_each_image(tiny, stripes):
    """Photographs, of which only the features are known: each is found again."""
    photographs = tiny.inputs_of(stripes[0].images[:6])
    target = np.asarray(tiny.features(tiny.variables, photographs)["stage2"])

    def distance(e):
        difference = e.seen[TEACHER].features["stage2"] - e.asked["target"]
        return e.batch_mean(jnp.square(difference).sum((1, 2, 3)))

    term = Term("features", distance, asks=("target",))
    method = Wanting(steps=(150,), lr=0.05, jitter=0, flip=0.0, wanted=(term,))
    job = Job({TEACHER: tiny}, Arrays("target", target), 4, method, 0, ONE)
    found = np.asarray(made(job, tiny)["stage2"])
    distances = np.square(found[:, None] - target[None]).sum((2, 3, 4))
    np.testing.assert_array_equal(distances.argmin(1), range(6))
    assert np.all(np.diag(distances) < 0.2 * np.square(target).sum((1, 2, 3)))


def test_a_unit_for_each_image(tiny):
    """Each image excites the channel that it is asked to, more than others do."""
    units = np.array([0, 3, 5, 6])

    def activation(e):
        channels = e.seen[TEACHER].features["stage2"].mean((1, 2))
        wanted = jax.nn.one_hot(e.asked["unit"], channels.shape[1])
        return -e.batch_mean((wanted * channels).sum(1))

    term = Term("activation", activation, asks=("unit",))
    method = Wanting(steps=(100,), lr=0.05, jitter=0, flip=0.0, wanted=(term,))
    job = Job({TEACHER: tiny}, Arrays("unit", units), 4, method, 0, ONE)
    excited = np.asarray(made(job, tiny)["stage2"]).mean((1, 2))
    np.testing.assert_array_equal(excited[:, units].argmax(0), range(4))


@pytest.fixture(scope="module")
def disputed(tiny):
    """Images on which a student disagrees, the student, and how it learns from them."""

    def disagreement(e):
        answers = (e.seen[role].logits for role in (TEACHER, STUDENT))
        return e.batch_mean(l1_disagreement(*answers))

    term = Term("disagreement", disagreement, cast=(TEACHER, STUDENT))
    method = Wanting(steps=(4,), resolutions=(4, 8), wanted=(term,))
    student = make_classifier(tiny.spec, 7)
    cast = {TEACHER: tiny, STUDENT: student}
    job = Job(cast, Arrays("nothing", np.zeros(12)), 4, method, 0, ONE)

    @jax.jit
    def learn(variables, inputs):
        def loss(variables):
            wanted = jax.nn.softmax(tiny.logits(tiny.variables, inputs))
            answers = student.logits(variables, inputs)
            return optax.softmax_cross_entropy(answers, wanted).mean()

        step = jax.grad(loss)(variables)
        return jax.tree.map(lambda x, g: x - 0.5 * g, variables, step)

    return job, student, learn


def learning(disputed, kept, kill=None):
    """The images, and the student that learnt from each batch of them in turn."""
    job, student, learn = disputed
    session = job.session(
        live={STUDENT: student.variables},
        checkpoints=Checkpoints(kept),
        resume=True,
    )
    for event in session:
        if isinstance(event, BatchDone) and event.complete:
            inputs = event.made.inputs
            np.save(kept.parent / f"{event.position.batch}.npy", inputs)
            session.recast(student=learn(session.live[STUDENT], inputs))
        if isinstance(event, Logged) and event.far.done == kill:
            raise KeyboardInterrupt
    images = [np.load(kept.parent / f"{batch}.npy") for batch in range(3)]
    return images, session.live[STUDENT]


def test_a_student_that_changes_between_batches(tiny, disputed, tmp_path):
    (tmp_path / "whole").mkdir()
    images, student = learning(disputed, tmp_path / "whole" / "kept")
    # Within the second batch: in its first phase, and in its second.
    for kill in (11, 15):
        killed = tmp_path / f"killed at {kill}" / "kept"
        killed.parent.mkdir()
        with pytest.raises(KeyboardInterrupt):
            learning(disputed, killed, kill)
        again = learning(disputed, killed)
        jax.tree.map(np.testing.assert_array_equal, again, (images, student))
    fresh = make_classifier(tiny.spec, 7).variables
    assert not np.array_equal(*map(_first, (student, fresh)))


def _first(tree):
    return np.asarray(jax.tree.leaves(tree)[0])


def refused(job):
    with pytest.raises(ConfigError) as caught:
        job.session()
    return str(caught.value)


def test_what_is_missing_is_named(tiny):
    term = Term("disagreement", lambda e: 0.0, cast=(TEACHER, STUDENT))
    request = Arrays("unit", np.zeros(4))
    job = Job({TEACHER: tiny}, request, 4, Wanting(wanted=(term,)), 0, ONE)
    assert "a student is looked at by 'disagreement', but the cast is teacher" in (
        refused(job)
    )

    def wanting(*terms):
        return refused(replace(job, method=Wanting(wanted=terms)))

    plain = replace(term, cast=())
    asking = replace(plain, asks=("labels",))
    assert "labels of each image are asked for by 'disagreement'" in wanting(asking)
    weighted = replace(plain, weight="w_mine")
    assert "no number is called 'w_mine', there are" in wanting(weighted)
    assert "'disagreement' is the name of two things" in wanting(plain, plain)
    assert "there is nothing to optimise" in wanting()
    with pytest.raises(ConfigError, match="batch 7 was chosen, but there are 1"):
        replace(job, method=Wanting(wanted=(plain,))).session(chosen=[7])


def test_what_is_watched_is_checked_as_well(tiny):
    class Watching(Arrays):
        watched = (Term("loss", lambda e: 0.0, cast=()),)

    term = Term("nothing", lambda e: 0.0, cast=())
    request = Watching("unit", np.zeros(4))
    job = Job({TEACHER: tiny}, request, 4, Wanting(wanted=(term,)), 0, ONE)
    assert "'loss' is the name of two things" in refused(job)
    Watching.watched = (replace(term, name="seen", asks=("labels",)),)
    assert "labels of each image are asked for by 'seen'" in refused(job)


def test_only_what_is_live_is_recast(tiny):
    term = Term("nothing", lambda e: 0.0, cast=())
    request = Arrays("unit", np.zeros(4))
    job = Job({TEACHER: tiny}, request, 4, Wanting(wanted=(term,)), 0, ONE)
    with pytest.raises(ConfigError, match="'pool' is not live"):
        job.session().recast(pool=1)
