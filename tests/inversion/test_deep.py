from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from stepping import given, start

from jinv.engine.execution import Execution
from jinv.engine.phase import STUDENT, TEACHER, Split
from jinv.engine.step import make_finish, make_step
from jinv.errors import ConfigError
from jinv.inversion.deep import DeepInversion
from jinv.inversion.invert import invert
from jinv.inversion.make_job import make_job
from jinv.inversion.natural import NaturalInversion
from jinv.inversion.presets import PRESETS, presets_of
from jinv.losses import jensen_shannon_competition
from jinv.models.loading import make_classifier

ONE = Execution(devices=1)
NATURAL = NaturalInversion(steps=3, latent=12, channels=32)


def test_one_number_of_steps_stands_for_all_phases(tiny):
    phases = DeepInversion(steps=(7,), resolutions=(4, 8)).procedure(tiny).phases
    assert [phase.descent.steps for phase in phases] == [7, 7]


def test_terms_without_weight_are_left_out(tiny):
    (phase,) = DeepInversion(w_bn=0.0, w_tv2=0.0, w_l2=1.0).procedure(tiny).phases
    assert [term.name for term in phase.wanted] == ["cross-entropy", "l2"]


@pytest.mark.parametrize("preset", presets_of("deep"))
def test_presets_step_from_each_phase_to_the_next(tiny, outline, preset):
    outlines = outline(tiny, PRESETS[preset].fitted(tiny.spec))
    for before, after, _, _ in outlines:
        assert jax.tree.map(jnp.shape, before) == jax.tree.map(jnp.shape, after)
    assert outlines[-1][3].shape == (6, 8, 8, 3)


def test_a_preset_runs(tiny):
    """One of two phases, with a warm-up and a term of each kind."""
    job = {"preset": "deepinversion-imagenet", "steps": (2,), "warmup": 1}
    result = invert(tiny, "all", 6, execution=ONE, **job)
    assert np.isfinite(result.images).all()


def test_presets_fit_themselves_to_the_input_size(tiny):
    fitted = PRESETS["deepinversion-imagenet"].fitted(tiny.spec)
    assert (fitted.resolutions, fitted.jitter) == ((4, 8), 1)


def test_clipped_images_need_no_cutting(tiny):
    (phase,) = DeepInversion(steps=(5,), lr=10.0).procedure(tiny).phases
    low, high = tiny.input_range
    far = Split(np.full((1, 8, 8, 3), 99.0, np.float32))
    projected = np.asarray(phase.image.project(far).own)
    np.testing.assert_allclose(projected[0, 0, 0], high)


def test_the_bn_term_brings_statistics_closer(tiny):
    def distance(w_bn):
        rows = invert(tiny, "all", 24, steps=(60,), w_bn=w_bn, execution=ONE).log
        return rows[-1]["terms"]["bn"]["raw"]

    assert distance(10.0) < 0.8 * distance(1e-9)


DISAGREEMENT = {"w_disagreement": 2.0, "disagreement_temperature": 1.5}


def test_a_student_is_seen_by_the_competition_alone(tiny, unnormalised):
    assert DeepInversion().procedure(tiny).cast == {TEACHER}
    with pytest.raises(ConfigError, match="a student: give one"):
        make_job(tiny, "all", 6, **DISAGREEMENT)
    with pytest.raises(ConfigError, match="no term that looks at a student"):
        make_job(tiny, "all", 6, student=unnormalised)
    job = make_job(tiny, "all", 6, student=unnormalised, **DISAGREEMENT)
    assert job.procedure.cast == {TEACHER, STUDENT}
    assert job.method.numbers["w_disagreement"] == 2.0


@pytest.mark.parametrize("method", [DeepInversion(steps=(3,)), NATURAL])
def test_the_competition_is_that_of_both_networks_on_the_same_view(
    tiny, unnormalised, method
):
    method = replace(method, jitter=0, flip=0.0, **DISAGREEMENT)
    job = make_job(tiny, "all", 6, method=method, student=unnormalised, execution=ONE)
    (phase,) = job.procedure.phases
    state, read = start(phase, method, 6), given(tiny, method, 6)
    read.shared.cast[STUDENT] = unnormalised.variables
    inputs = make_finish(phase)(state, read).own
    expected = jensen_shannon_competition(
        tiny.logits(tiny.variables, inputs),
        unnormalised.logits(unnormalised.variables, inputs),
        1.5,
    ).mean()
    _, metrics = jax.jit(make_step(job.cast, phase))(state, read)
    found = metrics["terms"]
    np.testing.assert_allclose(found["disagreement"], expected, rtol=1e-5)
    others = sum(job.weights[name] * value for name, value in found.items())
    np.testing.assert_allclose(metrics["loss"], others, rtol=1e-5)


def test_a_student_sees_images_in_the_form_that_it_takes(tiny, unnormalised):
    assert make_job(tiny, "all", 6, student=unnormalised, **DISAGREEMENT).networks == {
        TEACHER: tiny,
        STUDENT: unnormalised,
    }
    spec = replace(unnormalised.spec, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    student = replace(unnormalised, spec=spec)
    job = make_job(tiny, "all", 6, student=student, **DISAGREEMENT)
    images = np.random.default_rng(0).uniform(size=(4, 8, 8, 3)).astype(np.float32)
    seen = job.networks[STUDENT].respond(student.variables, tiny.normalise(images))
    expected = student.logits(student.variables, student.normalise(images))
    np.testing.assert_allclose(seen.logits, expected, rtol=1e-4, atol=1e-5)


def test_images_are_driven_to_where_a_student_disagrees(tiny):
    student = make_classifier(tiny.spec, 11)

    def agreement(weight):
        settings = {"w_disagreement": weight, "disagreement_temperature": 0.1}
        job = {"steps": (40,), "student": student, "execution": ONE}
        rows = invert(tiny, "all", 12, **job, **settings).log
        return rows[-1]["terms"]["disagreement"]["raw"]

    assert agreement(20.0) < 0.9 * agreement(1e-9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": 0.0}, "lr: expected a number over 0"),
        ({"steps": (0,)}, "steps: expected a list of whole numbers from 1"),
        ({"w_tv2": -1.0}, "w_tv2: expected a number from 0"),
        ({"warmup": -1}, "warmup: expected a whole number from 0"),
        ({"decay_power": -1.0}, "decay_power: expected a number from 0"),
        ({"flip": 1.5}, "flip: expected a number from 0 to 1"),
        ({"temperature": -2.0}, "temperature: expected a number over 0"),
        ({"disagreement_temperature": 0}, "temperature: expected a number over 0"),
        ({"w_disagreement": -1.0}, "w_disagreement: expected a number from 0"),
        ({"steps": (1, 2, 3), "resolutions": (4, 8)}, "3 numbers of steps for 2"),
        (
            {"resolutions": (8, 0)},
            "resolutions: expected a list of whole numbers from 1",
        ),
        ({"w_class": 0, "w_bn": 0, "w_tv2": 0}, "nothing to optimise"),
        ({"step": (1,)}, "unknown setting 'step'"),
    ],
)
def test_settings_that_cannot_work_are_refused(tiny, settings, message):
    with pytest.raises(ConfigError, match=message):
        make_job(tiny, "all", 6, execution=ONE, **settings)


def test_without_batchnorm_the_bn_term_is_refused(unnormalised):
    with pytest.raises(ConfigError, match="plain has no BatchNorm"):
        make_job(unnormalised, "all", 6, execution=ONE)
    result = invert(unnormalised, "all", 6, w_bn=0.0, steps=(3,), execution=ONE)
    assert result.images.shape == (6, 8, 8, 3)


def test_a_preset_and_a_method_exclude_each_other(tiny):
    with pytest.raises(ConfigError, match="not both"):
        make_job(tiny, "all", preset="default", method=DeepInversion())
    with pytest.raises(ConfigError, match="did you mean technion"):
        make_job(tiny, "all", preset="technon")


def test_company_takes_part_and_is_dropped(tiny):
    job = make_job(tiny, "cat,dog", 5, company=8, execution=ONE, steps=(3,))
    others = job.request.company["labels"].tolist()
    assert others == [0, 0, 1, 1, 4, 4, 5, 5] and job.batch_size == 5
    together = invert(tiny, "cat,dog", 5, company=8, execution=ONE, steps=(3,))
    alone = invert(tiny, "cat,dog", 5, company=0, execution=ONE, steps=(3,))
    assert together.images.shape == alone.images.shape == (5, 8, 8, 3)
    assert np.abs(together.images - alone.images).max() > 1e-3


def test_company_is_enough_by_default(tiny):
    assert make_job(tiny, "cat,dog", 5, execution=ONE).company == 3 * 4
    # Nobody is missing when all classes are asked for.
    assert make_job(tiny, "all", 6, execution=ONE).company == 0
    assert make_job(tiny, "all", 6, company=4, execution=ONE).company == 0
    many = replace(tiny.spec, classes=tuple(map(str, range(30))))
    job = make_job(make_classifier(many), "3,4", 4, execution=ONE)
    others = set(job.request.company["labels"].tolist())
    assert len(others) == job.company == 16 and not others & {3, 4}


def test_company_joins_every_batch_and_is_shared_by_devices(tiny):
    result = invert(
        tiny, "cat", 6, batch_size=3, company=5, execution=Execution(2), steps=(2,)
    )
    assert result.job.company == 5 and result.images.shape == (6, 8, 8, 3)
    assert result.outcome.passes == 2 * 2 * 2 * 8  # phases, batches, steps, images
