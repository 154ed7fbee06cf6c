from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jinv
from jinv.data.labelled import ArrayImages
from jinv.engine.lesson import Learner
from jinv.engine.placement import make_placement
from jinv.models.architectures.resnet import ResNet
from jinv.models.loading import make_classifier
from jinv.report.student_record import read_record
from jinv.transfer.distill_config import DistillConfig
from jinv.transfer.examples import Examples
from jinv.transfer.hints import find_hints, first_regressors, hint_loss
from jinv.transfer.lesson import student_lesson, student_variables


@pytest.fixture(scope="module")
def wider(tiny):
    """A network of the same sizes and twice the channels."""
    spec = replace(
        tiny.spec, name="wider", build=partial(ResNet, (1, 1), (8, 16), stem="cifar")
    )
    return make_classifier(spec, 1)


def test_stages_of_one_size_are_paired():
    resnet, vgg, flat = (
        make_classifier(jinv.classifier_spec(name), 0)
        for name in ("cifar10_resnet8", "cifar10_vgg11_bn", "mnist_fc")
    )
    assert find_hints(vgg, resnet) == {
        "stage1": "stage1",
        "stage2": "stage2",
        "stage3": "stage3",
    }
    assert find_hints(flat, flat) == {}


def test_the_loss_is_that_of_the_formula(tiny, wider):
    hints = find_hints(tiny, wider)
    regressors = first_regressors(tiny, wider, hints, seed=0)
    inputs = jax.random.normal(jax.random.key(0), (3, 8, 8, 3))
    known, own = (net.features(net.variables, inputs) for net in (tiny, wider))
    expected = 0.0
    for name in ("stage1", "stage2"):
        said = np.asarray(own[name]) @ np.asarray(regressors[name]["kernel"])
        said += np.asarray(regressors[name]["bias"])
        errors = (said - np.asarray(known[name])) ** 2
        expected += errors.mean() / np.var(known[name])
    found = hint_loss(regressors, hints, known, own)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_student_that_says_the_same_by_other_channels_is_right(tiny):
    hints = find_hints(tiny, tiny)
    inputs = jax.random.normal(jax.random.key(0), (3, 8, 8, 3))
    known = tiny.features(tiny.variables, inputs)
    turned = {name: known[name][..., ::-1] for name in hints}
    flips = {
        name: {
            "kernel": jnp.eye(known[name].shape[-1])[::-1],
            "bias": jnp.zeros(known[name].shape[-1]),
        }
        for name in hints
    }
    np.testing.assert_allclose(hint_loss(flips, hints, known, turned), 0, atol=1e-10)


def test_steps_bring_a_student_nearer_and_leave_regressors_out_of_it(tiny, wider):
    config = DistillConfig(steps=30, batch_size=8, lr=0.05, margin=0, collage=0)
    lesson = student_lesson(tiny, wider, config)
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3)).astype(np.uint8)
    batch = Examples(images, np.full(8, -1, np.int32), np.arange(8), 8)
    learner = Learner(lesson, make_placement("jit", 1, 8))
    learnt, far = learner.begin(), []
    for step in range(30):
        learnt, measured = learner.step(learnt, batch, step)
        far.append(float(measured["hints"]))
    assert far[-1] < 0.7 * far[0]
    found = student_variables(lesson, learnt.trained, learnt.state)
    assert jax.tree.structure(found) == jax.tree.structure(dict(wider.variables))


def test_images_without_labels_say_nothing_of_classes(tiny, wider):
    config = DistillConfig(w_labels=1e6, collage=0, margin=0, flip=False)
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)

    def loss(labels, config=config):
        lesson = student_lesson(tiny, wider, config)
        batch = Examples(images, np.array(labels, np.int32), np.arange(4), 8)
        return lesson.objective(
            lesson.trained, lesson.frozen, lesson.state, batch, jax.random.key(0)
        )[0]

    without = loss([0, 1, 2, 3], replace(config, w_labels=0.0))
    np.testing.assert_allclose(loss([-1] * 4), without)
    assert loss([0, -1, -1, -1]) > without + 1e3


def test_leaves_join_the_images(tiny, wider, stripes, tmp_path):
    data = ArrayImages(stripes[0].images[:16], stripes[0].labels[:16])
    options = {"steps": 2, "batch_size": 8, "lr": 0.01, "collage": 1}
    jinv.distill(tiny, wider, tmp_path / "run", data, leaves=5, **options)
    card = read_record(tmp_path / "run").card
    assert card["hints"] == {"stage1": "stage1", "stage2": "stage2"}
    assert card["leaves"] == 5 and card["budget"]["images"] == 21
