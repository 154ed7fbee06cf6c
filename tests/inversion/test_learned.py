"""Learned priors that take part in an inversion."""

import json
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinv
from jinv.engine.execution import Execution
from jinv.engine.phase import TEACHER
from jinv.engine.state import give, initial_state
from jinv.engine.step import make_step
from jinv.errors import ConfigError, WeightsError
from jinv.inversion.learned import cast_priors
from jinv.inversion.make_job import make_job
from jinv.priors.files import write_prior
from jinv.priors.form import Form, Subject
from jinv.priors.prior import Prior
from jinv.reconstruction.feature_inversion import FeatureInversion
from jinv.reconstruction.reconstruct import make_reconstruction
from jinv.visualization.dreams import DeepDream
from jinv.visualization.make_job import make_visualization

RNG = np.random.default_rng(0)
KEY = jax.random.key(5)
ONE = Execution(devices=1, log_every=1)
PLAIN = FeatureInversion(
    layers=("stage1",), unit="input", optimizer="sgd", betas=(0.0, 0.0), steps=(3,)
)


def prior_of(subject, side=3, count=4):
    shape = count, side, side, len(subject.chosen) or subject.channels
    variables = {
        "filters": RNG.normal(size=shape).astype(np.float32),
        "offsets": RNG.normal(size=count).astype(np.float32),
        "alphas": np.abs(RNG.normal(size=count)).astype(np.float32),
        "mean": np.float32(0.7),
        "deviation": np.float32(1.5),
    }
    return Prior(Form(subject, side, side), variables)


@pytest.fixture(scope="module")
def of_images():
    return prior_of(Subject(3))


@pytest.fixture(scope="module")
def of_features(tiny):
    return prior_of(Subject.of(tiny, "stage2", (0, 3, 4)), 2)


@pytest.fixture(scope="module")
def photographs(stripes):
    return stripes[0].images[:3]


def stepped(job, batch):
    """A step of a job's first phase: before it, after it, and what was measured."""
    (phase,) = job.procedure.phases
    index = jnp.arange(batch)
    params = phase.image.init(KEY, index)
    state = initial_state(phase, params, job.numbers)
    cast = {TEACHER: job.classifier} | {prior.role: prior for prior in job.priors}
    variables = {role: network.variables for role, network in cast.items()}
    asked = job.request.asked(np.arange(batch))
    read = give(variables, asked, job.numbers, index, KEY, KEY)
    after, metrics = jax.jit(make_step(cast, phase))(state, read)
    return params.own, after.params.own, metrics


def energy_of(prior, values):
    """The formula, of all patches of one image."""
    variables = prior.variables
    side = prior.form.height
    rows, columns = (length - side + 1 for length in values.shape[:2])
    patches = jnp.stack(
        [
            values[i : i + side, j : j + side].ravel()
            for i in range(rows)
            for j in range(columns)
        ]
    )
    filters = variables["filters"].reshape(len(variables["alphas"]), -1)
    seen = patches @ filters.T - variables["offsets"][None]
    each = jnp.log1p(seen**2 / 2) @ variables["alphas"]
    return (each.mean() - variables["mean"]) / variables["deviation"]


def test_a_step_descends_the_formula_for_each_image_alone(
    tiny, photographs, of_images, of_features
):
    job = make_reconstruction(
        tiny,
        photographs,
        "stage1",
        method=replace(PLAIN, w_prior=0.3),
        priors=[of_images, (of_features, 0.2)],
        prior_stride=1,
    )
    before, after, metrics = stepped(job, 3)
    wanted = tiny.features(tiny.variables, tiny.inputs_of(photographs))["stage1"]

    def loss(x, goal):
        seen = tiny.features(tiny.variables, x[None])
        far = jnp.sum((seen["stage1"][0] - goal) ** 2) / jnp.sum(goal**2)
        image = energy_of(of_images, tiny.denormalise(x[None])[0])
        deep = energy_of(of_features, seen["stage2"][0][..., np.array([0, 3, 4])])
        return far + 0.3 * image + 0.2 * deep

    values, gradients = jax.jit(jax.vmap(jax.value_and_grad(loss)))(before, wanted)
    np.testing.assert_allclose(after, before - 0.1 * gradients, atol=1e-5)
    np.testing.assert_allclose(metrics["loss"], values.mean(), rtol=1e-5)


def test_the_weight_is_data_and_another_prior_of_the_form_shares_the_program(
    tiny, photographs, of_images
):
    make = partial(make_reconstruction, tiny, photographs[:1], "stage1", method=PLAIN)
    other = prior_of(Subject(3))
    seconds = [
        make(priors=[given]).gather().outcome.compiling
        for given in (of_images, other, (other, 3.0), (of_images, 0.1))
    ]
    assert seconds[0] > 0 and seconds[2] > 0  # w_prior, and a weight of its own
    assert seconds[1] == seconds[3] == 0
    common, own = (make(priors=[given]) for given in (of_images, (other, 3.0)))
    assert common.weights["prior_images"] == PLAIN.w_prior
    assert own.weights["prior_images"] == 3.0
    without = make(priors=[(of_images, 0.0)])
    assert [term.name for term in without.procedure.phases[0].wanted] == ["features"]


def test_grids_are_drawn_by_image_and_step(tiny, photographs, of_images):
    make = partial(
        make_reconstruction, tiny, method=PLAIN, priors=[of_images], execution=ONE
    )
    together = make(photographs, "stage1", batch_size=3).gather()
    rows = [row["terms"]["prior_images"]["raw"] for row in together.log]
    assert len(set(rows)) == len(rows) == 3
    # On the same photograph, the grids of two images differ; the start does too.
    again = make(photographs, "stage1", batch_size=3).gather()
    np.testing.assert_array_equal(together.images, again.images)


def test_only_what_is_looked_at_is_computed(tiny, photographs, of_features):
    def flops(layer, *priors):
        job = make_reconstruction(tiny, photographs, layer, method=PLAIN, priors=priors)
        (phase,) = job.procedure.phases
        index = jnp.arange(3)
        state = initial_state(phase, phase.image.init(KEY, index), job.numbers)
        cast = {TEACHER: tiny} | {prior.role: prior for prior in job.priors}
        variables = {role: network.variables for role, network in cast.items()}
        asked = job.request.asked(np.arange(3))
        read = give(variables, asked, job.numbers, index, KEY, KEY)
        step = jax.jit(make_step(cast, phase))
        return step.lower(state, read).compile().cost_analysis()["flops"]

    shallow = prior_of(Subject.of(tiny, "stage1"))
    own = flops("stage1")
    added = flops("stage1", shallow) - own
    deep = flops("stage2")
    assert flops("stage2", shallow) - deep == pytest.approx(added, rel=0.02)
    assert flops("stage1", of_features) > deep


def test_they_take_part_in_every_kind_of_inversion(tiny, photographs, of_images):
    common = {"priors": [(of_images, 0.5)], "execution": ONE}
    visual = make_visualization(
        tiny,
        layers="stage1",
        start=photographs[:1],
        method=DeepDream(
            steps=1, roll=0, shifts=(0, 0), margin=0, factors=(), angles=()
        ),
        **common,
    )
    by_class = make_job(tiny, "cat,dog", 2, company=0, steps=(1,), **common)
    for job in (visual, by_class):
        found = job.gather()
        term = found.log[-1]["terms"]["prior_images"]
        assert term["weighted"] == pytest.approx(0.5 * term["raw"])
        assert job.describe()["priors"]["prior_images"]["weight"] == 0.5


def test_a_run_tells_which_priors_took_part(tiny, photographs, of_images, tmp_path):
    prior = write_prior(tmp_path / "mine.safetensors", of_images)
    texts = [str(prior.path), f"{prior.path}:0.5", prior.path, (prior, 2)]
    job = make_reconstruction(
        tiny, photographs, "stage1", method=PLAIN, priors=texts, prior_stride=2
    )
    found = json.loads(json.dumps(job.describe()))["priors"]
    roles = ["prior_images", *(f"prior_images_{n}" for n in (2, 3, 4))]
    assert list(found) == roles
    assert [found[role]["weight"] for role in roles] == [0.01, 0.5, 0.01, 2]
    assert found["prior_images"]["sha256"] == prior.sha256
    assert found["prior_images"]["name"] == "mine"
    assert found["prior_images"]["stride"] == 2


def test_presets_of_a_thesis_are_for_priors_only(tiny, photographs, of_images):
    for preset, stages in (("thesis-conv1", 1), ("thesis-conv4", 6)):
        make = partial(make_reconstruction, tiny, photographs, "stage1", preset=preset)
        job = make(priors=[of_images])
        assert len(job.procedure.phases) == stages
        with pytest.raises(ConfigError, match="for learned priors, and none was given"):
            make()
    numbers = job.numbers
    rates = [p.descent.learning_rate(numbers, 0) for p in job.procedure.phases]
    np.testing.assert_allclose(rates, [0.01, 0.004, 0.001, 4e-4, 1e-4, 4e-5])
    assert job.weights == {"features": 1.0, "prior_images": 1e-3}


def test_priors_that_do_not_fit_are_refused(tiny, photographs, of_features, tmp_path):
    def refused(error, words, given):
        with pytest.raises(error, match=words) as caught:
            jinv.reconstruct(tiny, photographs, "stage1", steps=(1,), priors=given)
        assert "\n" not in str(caught.value)

    elsewhere = replace(of_features.form.subject, sha256="1234")
    stranger = replace(of_features, form=replace(of_features.form, subject=elsewhere))
    nowhere = replace(of_features.form.subject, layer="stage9")
    refused(ConfigError, "not of tiny with", [stranger])
    refused(
        ConfigError,
        "here that layer is of shape",
        [replace(of_features, form=replace(of_features.form, subject=nowhere))],
    )
    refused(ConfigError, "of grey images", [prior_of(Subject(1))])
    refused(ConfigError, "more than the 8x8", [prior_of(Subject(3), 9)])
    refused(WeightsError, "expected a prior", ["nowhere.safetensors"])
    refused(ConfigError, "weight of the prior .*from 0", [(of_features, -1)])
    refused(ConfigError, "expected priors, their files", [3])
    broken = prior_of(Subject(3))
    broken.variables["alphas"][0] = np.nan
    write_prior(tmp_path / "broken.safetensors", broken)
    refused(WeightsError, "NaN", [tmp_path / "broken.safetensors"])
    whole = prior_of(Subject.of(tiny, "stage2"), 3)
    cast_priors([whole], tiny, 4)  # fits the network, but not a small dream
    with pytest.raises(ConfigError, match="there are 2x2 here"):
        jinv.visualize(
            tiny,
            "stage2:0",
            steps=1,
            size=(4, 4),
            priors=[whole],
            margin=0,
            shifts=(0, 0),
            factors=(),
            angles=(),
        )
